import Checkpoints
import Dictionaries
import Foundation
import Gemma
import Sites
import Tensors

extension InfoSubject {
  /// What is known, for JSON and for people alike: rows of (name in JSON, label, JSON, text).
  struct Fact {
    let key: String
    let label: String
    let value: JSONValue
    let text: String

    init(_ key: String, _ label: String, _ value: JSONValue, _ text: String) {
      self.key = key
      self.label = label
      self.value = value
      self.text = text
    }

    static func count(_ key: String, _ label: String, _ number: Int) -> Fact {
      Fact(key, label, .integer(number), Format.grouped(number))
    }

    static func bytes(_ key: String, _ label: String, _ number: Int) -> Fact {
      Fact(key, label, .integer(number), Format.bytes(number))
    }

    static func string(_ key: String, _ label: String, _ text: String) -> Fact { Fact(key, label, .string(text), text) }
  }

  var kind: String {
    switch self {
    case .model: "model"
    case .dictionary: "dictionary"
    case .suite: "suite"
    case .atlas: "atlas"
    case .tensors: "tensors"
    }
  }

  func facts() throws -> [Fact] {
    switch self {
    case .model(let checkpoint): try Self.facts(checkpoint)
    case .dictionary(let dictionary): Self.facts(dictionary)
    case .suite(let suite): Self.facts(suite)
    case .atlas(let atlas): try Self.facts(atlas)
    case .tensors(let format, let source): try Self.facts(format, source)
    }
  }

  private static func facts(_ checkpoint: GemmaCheckpoint) throws -> [Fact] {
    let c = checkpoint.configuration
    let global = c.isGlobal.indices.filter { c.isGlobal[$0] }
    let types = try storedTypes(checkpoint.source)
    let bytes = types.reduce(0) { $0 + $1.bytes }
    let cache = c.cacheBytes(positions: 1000)
    return [
      .string("format", "format", checkpoint.format.rawValue), .count("parameters", "parameters", c.parameterCount),
      .count("layers", "layers", c.layers), .count("width", "residual width", c.width),
      .count("query_heads", "query heads", c.queryHeads),
      .count("key_value_heads", "key and value heads", c.keyValueHeads),
      .count("head_dim", "head width", c.headDimension), .count("feed_forward", "MLP width", c.feedForward),
      .count("vocabulary", "vocabulary", c.vocabularySize), .count("sliding_window", "sliding window", c.slidingWindow),
      Fact(
        "global_layers", "global layers", .array(global.map { .integer($0) }),
        global.map(String.init).joined(separator: ", ")),
      .count("max_positions", "positions", c.maximumPositions), .bytes("bytes", "weights", bytes),
      Fact(
        "weights", "stored as",
        .array(types.map { ["type": .string($0.type), "tensors": .integer($0.tensors), "bytes": .integer($0.bytes)] }),
        types.map { "\($0.type) \(Format.bytes($0.bytes)) (\(Format.count($0.tensors, "tensor")))" }.joined(
          separator: ", ")),
      .bytes("cache_bytes_1000_tokens", "keys and values of 1,000 tokens", cache),
      .bytes("memory_bytes", "memory for 1,000 tokens", bytes + cache + passBytes(c)),
    ]
  }

  /// Activations of one pass over 1,000 tokens and the logits of one token, in fp32: the residual stream, a block's
  /// widest intermediates, and their results.
  private static func passBytes(_ c: GemmaConfiguration) -> Int {
    4 * (1000 * (4 * c.width + 2 * c.feedForward + 3 * c.queryHeads * c.headDimension) + c.vocabularySize)
  }

  private static func facts(_ dictionary: SparseDictionary) -> [Fact] {
    let shape = dictionary.shape
    return [
      .string("name", "name", dictionary.name), .string("dictionary_kind", "kind", shape.kind.rawValue),
      Fact("affine", "affine skip", .bool(shape.isAffine), shape.isAffine ? "yes" : "no"),
      Fact("reads", "reads", .array(shape.reads.map { .string("\($0)") }), list(shape.reads)),
      Fact("writes", "writes", .array(shape.writes.map { .string("\($0)") }), list(shape.writes)),
      .count("width", "features", shape.totalWidth), .count("features_per_layer", "features a layer", shape.width),
      .count("input_width", "input width", shape.inputWidth), .count("output_width", "output width", shape.outputWidth),
      Fact("l0", "target L0", .optional(dictionary.targetL0), dictionary.targetL0.map { Format.short($0) } ?? "-"),
      Fact("model", "trained on", .optional(dictionary.modelName), dictionary.modelName ?? "-"),
      .count("files", "files", shape.isMultiLayer ? shape.reads.count : 1),
      .bytes("bytes", "weights", dictionary.byteCount),
      .bytes("memory_bytes", "memory in use", memoryBytes(dictionary)),
      Fact(
        "compact", "compact form", .bool(dictionary.configuration.isCompact),
        dictionary.configuration.isCompact ? "yes: int8 rows" : "no"),
      Fact(
        "streamed", "read from disk as used", .bool(dictionary.isStreamed),
        dictionary.isStreamed ? "yes: larger than half of the memory" : "no"),
    ]
  }

  /// Weights that are in memory at once: all that were touched, or of a streamed dictionary one layer's.
  private static func memoryBytes(_ dictionary: SparseDictionary) -> Int {
    dictionary.isStreamed ? dictionary.byteCount / max(1, dictionary.shape.reads.count) : dictionary.byteCount
  }

  private static func list(_ sites: [Site]) -> String {
    sites.count > 6 ? "\(sites[0]) … \(sites[sites.count - 1])" : sites.map(\.description).joined(separator: ", ")
  }

  private static func facts(_ suite: Suite) -> [Fact] {
    [
      .string("model", "made for", suite.model.name),
      Fact("model_sha256", "model SHA-256", .optional(suite.model.sha256), suite.model.sha256 ?? "-"),
      Fact(
        "dictionaries", "dictionaries",
        .array(
          suite.entries.map { entry in
            [
              "name": .string(entry.name), "kind": .string(entry.kind.rawValue),
              "sites": .array(entry.sites.map { .string("\($0)") }), "width": .integer(entry.width),
              "l0": .optional(entry.l0), "affine": .bool(entry.isAffine),
            ]
          }), Format.grouped(suite.entries.count)),
    ]
  }

  private static func facts(_ format: String, _ source: any TensorSource) throws -> [Fact] {
    let types = try storedTypes(source)
    return [
      .string("format", "format", format), .bytes("bytes", "bytes", types.reduce(0) { $0 + $1.bytes }),
      Fact(
        "tensors", "tensors",
        .array(
          try source.names.map { name in
            let info = try source.info(name)
            return [
              "name": .string(name), "type": .string(info.typeName), "shape": .array(info.shape.map { .integer($0) }),
              "bytes": .integer(info.byteCount),
            ]
          }), Format.grouped(source.names.count)),
    ]
  }

  /// Tensors and bytes by stored type, largest first.
  private static func storedTypes(_ source: any TensorSource) throws -> [(type: String, tensors: Int, bytes: Int)] {
    var types: [String: (tensors: Int, bytes: Int)] = [:]
    for name in source.names {
      let info = try source.info(name)
      types[info.typeName, default: (0, 0)].tensors += 1
      types[info.typeName, default: (0, 0)].bytes += info.byteCount
    }
    return types.map { ($0.key, $0.value.tensors, $0.value.bytes) }.sorted { ($1.2, $0.0) < ($0.2, $1.0) }
  }
}
