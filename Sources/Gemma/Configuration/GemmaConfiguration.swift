public import Sites

/// Everything about a Gemma 3 text model that its weights alone do not say.
///
/// Values come from a checkpoint's `config.json` or GGUF header; nothing is guessed (see the two readers for the few
/// constants that those formats themselves leave out).
public struct GemmaConfiguration: Sendable, Equatable {
  /// Number of blocks.
  public var layers: Int
  /// Width of the residual stream, d_model.
  public var width: Int
  /// Attention heads.
  public var queryHeads: Int
  /// Heads of keys and values, each shared by `queryHeads / keyValueHeads` query heads.
  public var keyValueHeads: Int
  /// Numbers in a query, key or value of one head.
  public var headDimension: Int
  /// Width of the gated MLP.
  public var feedForward: Int
  /// Rows of the embedding, padding included (262,208 in multimodal checkpoints).
  public var vocabularySize: Int
  /// Positions that a local layer sees, the current one included.
  public var slidingWindow: Int
  /// For each layer whether its attention is global (every sixth in the released models).
  public var isGlobal: [Bool]
  /// Base of the rotary frequencies in global layers.
  public var globalRopeBase: Double
  /// Linear scaling: global positions are divided by it (8 from 4B up, else 1).
  public var globalRopeScale: Double
  /// Base of the rotary frequencies in local layers.
  public var localRopeBase: Double
  /// `query_pre_attn_scalar`: scores are q·k / √ of it.
  public var queryScalar: Double
  /// Added to the mean square in every norm.
  public var normEpsilon: Float
  /// Positions that a sequence may have.
  public var maximumPositions: Int
  /// Tokens that end a generation.
  public var endTokens: [Int32]
  /// `<bos>`, with which every text begins.
  public var beginToken: Int32
  /// What fills unused places; never part of a text.
  public var padToken: Int32

  /// Sizes of the sites.
  public var shape: ModelShape {
    ModelShape(
      layers: layers, width: width, attentionWidth: queryHeads * headDimension, vocabularySize: vocabularySize)
  }

  /// Number of parameters, the tied head counted once.
  public var parameterCount: Int {
    let attention = width * headDimension * (2 * queryHeads + 2 * keyValueHeads) + 2 * headDimension
    return layers * (attention + 3 * width * feedForward + 4 * width) + vocabularySize * width + width
  }

  /// Bytes of keys and values that `positions` positions of one sequence take in fp32.
  ///
  /// A local layer has room for two windows, so that it seldom has to move what it keeps, and for the rows of a pass
  /// beside what those still see.
  /// - Parameter rowsPerPass: how many rows at a time the sequence is read (`GenerationOptions.rowsPerPass`).
  public func cacheBytes(positions: Int, rowsPerPass: Int = 1024) -> Int {
    let perPosition = 2 * keyValueHeads * headDimension * 4
    let local = min(positions, max(2 * slidingWindow, slidingWindow - 1 + min(rowsPerPass, positions)))
    return isGlobal.reduce(0) { $0 + perPosition * ($1 ? positions : local) }
  }

  /// Checks that the fields fit together.
  /// - Throws: `GemmaError.configuration` naming `file` and the first field at fault.
  func validated(file: String) throws -> GemmaConfiguration {
    func require(_ condition: Bool, _ field: String, _ problem: @autoclosure () -> String) throws {
      guard condition else { throw GemmaError.configuration(file: file, field: field, problem: problem()) }
    }
    let sizes = [
      ("num_hidden_layers", layers, 1 << 12), ("hidden_size", width, 1 << 20),
      ("num_attention_heads", queryHeads, 1 << 12), ("num_key_value_heads", keyValueHeads, 1 << 12),
      ("head_dim", headDimension, 1 << 14),
      ("intermediate_size", feedForward, 1 << 22), ("vocab_size", vocabularySize, 1 << 24),
      ("sliding_window", slidingWindow, 1 << 30), ("max_position_embeddings", maximumPositions, 1 << 30),
    ]
    for (field, value, limit) in sizes {
      try require(value >= 1 && value <= limit, field, "is \(value), expected 1...\(limit)")
    }
    try require(
      queryHeads % keyValueHeads == 0, "num_key_value_heads",
      "is \(keyValueHeads), which does not divide num_attention_heads \(queryHeads)")
    try require(headDimension % 2 == 0, "head_dim", "is \(headDimension), expected an even number")
    try require(
      isGlobal.count == layers, "layer_types", "names \(isGlobal.count) layers, num_hidden_layers says \(layers)")
    for (field, value) in [
      ("rope_theta", globalRopeBase), ("rope_local_base_freq", localRopeBase), ("rope_scaling.factor", globalRopeScale),
      ("query_pre_attn_scalar", queryScalar), ("rms_norm_eps", Double(normEpsilon)),
    ] {
      try require(value.isFinite && value > 0, field, "is \(value), expected a positive number")
    }
    return self
  }
}
