package import Checkpoints

extension GemmaConfiguration {
  /// Reads the header of a GGUF file of architecture `gemma3`.
  ///
  /// The format leaves three things to the reader, fixed here as llama.cpp fixes them: every sixth layer is global,
  /// local layers use a rotary base of 10,000, and scores are scaled by the head dimension except in the 27B model (62
  /// layers), which uses width / heads.
  /// - Throws: `GemmaError.configuration`, or `CheckpointError` for a missing or mistyped key.
  package init(_ file: GGUFFile) throws {
    func problem(_ field: String, _ text: String) -> GemmaError {
      .configuration(file: file.path, field: field, problem: text)
    }
    func key(_ name: String) -> String { "gemma3." + name }
    func optional<Value>(_ name: String, _ read: (String) throws -> Value) throws -> Value? {
      file.value(name) == nil ? nil : try read(name)
    }
    let architecture = try file.string("general.architecture")
    guard architecture == "gemma3" else {
      throw problem("general.architecture", "is '\(architecture)', expected 'gemma3'")
    }
    layers = try file.integer(key("block_count"))
    guard (1...4096).contains(layers) else { throw problem(key("block_count"), "is \(layers), expected 1...4096") }
    width = try file.integer(key("embedding_length"))
    feedForward = try file.integer(key("feed_forward_length"))
    queryHeads = try file.integer(key("attention.head_count"))
    keyValueHeads = try file.integer(key("attention.head_count_kv"))
    headDimension = try file.integer(key("attention.key_length"))
    let valueLength = try file.integer(key("attention.value_length"))
    guard valueLength == headDimension else {
      throw problem(key("attention.value_length"), "is \(valueLength), but key_length is \(headDimension)")
    }
    slidingWindow = try file.integer(key("attention.sliding_window"))
    maximumPositions = try file.integer(key("context_length"))
    normEpsilon = Float(try file.float(key("attention.layer_norm_rms_epsilon")))
    globalRopeBase = try file.float(key("rope.freq_base"))
    localRopeBase = try optional(key("rope.freq_base_swa"), file.float) ?? 10_000
    switch try optional(key("rope.scaling.type"), file.string) ?? "none" {
    case "none": globalRopeScale = 1
    case "linear": globalRopeScale = try file.float(key("rope.scaling.factor"))
    case let type: throw problem(key("rope.scaling.type"), "is '\(type)', expected 'none' or 'linear'")
    }
    let pattern = try optional(key("attention.sliding_window_pattern"), file.integer) ?? 6
    guard pattern >= 1 else { throw problem(key("attention.sliding_window_pattern"), "is \(pattern)") }
    isGlobal = (1...layers).map { $0 % pattern == 0 }
    queryScalar = layers == 62 && queryHeads > 0 ? Double(width) / Double(queryHeads) : Double(headDimension)
    let embedding = try file.info("token_embd.weight").shape
    guard embedding.count == 2 else { throw problem("token_embd.weight", "has shape \(embedding), expected two axes") }
    vocabularySize = embedding[0]
    func token(_ name: String, _ constant: Int32) throws -> Int32 {
      guard let value = try optional("tokenizer.ggml." + name, file.integer) else { return constant }
      guard let id = Int32(exactly: value), id >= 0 else { throw problem("tokenizer.ggml." + name, "is \(value)") }
      return id
    }
    let endOfText = try token("eos_token_id", 1)
    endTokens = try [endOfText, token("eot_token_id", endOfText)].reduce(into: []) {
      if !$0.contains($1) { $0.append($1) }
    }
    beginToken = try token("bos_token_id", 2)
    padToken = try token("padding_token_id", 0)
    self = try validated(file: file.path)
  }
}
