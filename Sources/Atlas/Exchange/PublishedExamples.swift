import Checkpoints
public import Foundation
import Tensors

/// Gemma Scope 2's `examples.safetensors`: for every feature of a dictionary of one layer its largest activations over
/// a corpus, token by token.
///
/// `tokens` i32 [N, T]; `activations`, `logit_effects` f32, `seq_ids` i64, `positions` i32, all [F, E], a row's
/// entries from the largest activation down, zeros behind them; `feature_frequencies` f64 [F]; and, where they are
/// there, `top_tokens`, `bottom_tokens` i32 and `top_logits`, `bottom_logits` f32, all [F, 10]. The file stays mapped:
/// rows are read as they are asked for.
public struct PublishedExamples: Sendable {
  /// An entry of a feature's row.
  public struct Entry: Equatable, Sendable {
    /// Above 0.
    public let activation: Float
    /// The sequence's row, and the token's column.
    public let sequence, position: Int
    /// On the logit of the next token.
    public let effect: Float
  }

  /// Tokens a feature raises or lowers, as stored.
  public struct Logits: Equatable, Sendable {
    /// Their ids.
    public let topTokens, bottomTokens: [Int32]
    /// The values that go with them.
    public let topValues, bottomValues: [Float]
  }

  /// Sequences, tokens of a sequence, features, and entries of a feature.
  public let sequences, context, features, entries: Int
  /// Whether it has tables of raised and lowered tokens.
  public let hasLogits: Bool
  private let file: SafetensorsFile

  static let tables = ["top_tokens", "top_logits", "bottom_tokens", "bottom_logits"]

  /// Opens a file and checks the shapes and element types of its tensors.
  /// - Throws: `AtlasError.file` naming the tensor, `CheckpointError`.
  public init(contentsOf url: URL) throws {
    let file = try SafetensorsFile(url)
    func check(_ name: String, _ dtypes: [DType], _ shape: [Int?]) throws -> [Int] {
      let info = try file.info(name)
      guard info.shape.count == shape.count, zip(info.shape, shape).allSatisfy({ $1 == nil || $0 == $1 }) else {
        let wanted = shape.map { $0.map(String.init) ?? "any" }.joined(separator: ", ")
        throw AtlasError.file(path: url.path, reason: "'\(name)': expected shape [\(wanted)], found \(info.shape)")
      }
      guard let dtype = info.dtype, dtypes.contains(dtype) else {
        throw AtlasError.file(
          path: url.path,
          reason: "'\(name)': expected \(dtypes.map(\.rawValue).joined(separator: " or ")), found \(info.typeName)")
      }
      return info.shape
    }
    let floats: [DType] = [.f32, .bf16, .f16, .f64]
    let integers: [DType] = [.i32, .i64]
    let tokens = try check("tokens", integers, [nil, nil])
    let activations = try check("activations", floats, [nil, nil])
    (sequences, context, features, entries) = (tokens[0], tokens[1], activations[0], activations[1])
    guard sequences > 0, context > 0, features > 0, entries > 0 else {
      throw AtlasError.file(path: url.path, reason: "holds no sequences, features or entries")
    }
    for name in ["seq_ids", "positions"] { _ = try check(name, integers, activations.map { $0 }) }
    _ = try check("logit_effects", floats, activations.map { $0 })
    _ = try check("feature_frequencies", floats, [features])
    hasLogits = Self.tables.allSatisfy { file.contains($0) }
    if hasLogits {
      for name in Self.tables {
        _ = try check(name, name.hasSuffix("tokens") ? integers : floats, [features, nil])
      }
    }
    self.file = file
  }

  /// The share of tokens at which each feature was on, [features].
  /// - Throws: `AtlasError.file` for a number that is no share.
  public func frequencies() throws -> [Double] {
    let values = try file.tensor("feature_frequencies")
    // Rates below fp32's resolution matter little, but those stored as f64 need not lose it.
    let all = values.dtype == .f64 ? try doubles(values) : try values.read().map(Double.init)
    if let bad = all.firstIndex(where: { !(0...1 ~= $0) }) {
      throw AtlasError.file(path: file.path, reason: "'feature_frequencies': \(all[bad]) at \(bad) is no share")
    }
    return all
  }

  private func doubles(_ tensor: Tensor) throws -> [Double] {
    try tensor.bytes().withUnsafeBytes { bytes in
      stride(from: 0, to: bytes.count, by: 8).map {
        Double(bitPattern: UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: $0, as: UInt64.self)))
      }
    }
  }

  /// The entries of a feature: those above 0 from the start, largest first; a file in another order is put in this one.
  /// - Throws: `AtlasError.feature`, `.file` for a place outside the tokens.
  public func entries(of feature: Int) throws -> [Entry] {
    let activations = try row("activations", feature).read().prefix { $0 > 0 }
    let sequences = try row("seq_ids", feature).readIntegers()
    let positions = try row("positions", feature).readIntegers()
    let effects = try row("logit_effects", feature).read()
    let entries = try activations.indices.map { i in
      guard 0..<self.sequences ~= sequences[i], 0..<context ~= positions[i], activations[i].isFinite else {
        throw AtlasError.file(
          path: file.path,
          reason:
            "feature \(feature), entry \(i): \(activations[i]) at sequence \(sequences[i]), position \(positions[i]) "
            + "of [\(self.sequences), \(context)]")
      }
      return Entry(
        activation: activations[i], sequence: sequences[i], position: positions[i],
        effect: effects[i].isFinite ? effects[i] : 0)
    }
    return entries.sorted { ($1.activation, $0.sequence, $0.position) < ($0.activation, $1.sequence, $1.position) }
  }

  /// The tokens of a sequence, [context].
  /// - Throws: `AtlasError.file` for a row outside, `TensorError`.
  public func tokens(of sequence: Int) throws -> [Int32] {
    guard 0..<sequences ~= sequence else {
      throw AtlasError.file(path: file.path, reason: "no sequence \(sequence) of \(sequences)")
    }
    return try file.tensor("tokens").rows(sequence..<sequence + 1).readIntegers().map { Int32(clamping: $0) }
  }

  /// The tables of a feature; nil where the file has none.
  /// - Throws: `AtlasError.feature`, `TensorError`.
  public func logits(of feature: Int) throws -> Logits? {
    guard hasLogits else { return nil }
    func ids(_ name: String) throws -> [Int32] { try row(name, feature).readIntegers().map { Int32(clamping: $0) } }
    return Logits(
      topTokens: try ids("top_tokens"), bottomTokens: try ids("bottom_tokens"),
      topValues: try row("top_logits", feature).read(), bottomValues: try row("bottom_logits", feature).read())
  }

  private func row(_ name: String, _ feature: Int) throws -> Tensor {
    guard 0..<features ~= feature else {
      throw AtlasError.feature(key: FeatureKey(dictionary: file.path, index: feature), limit: features)
    }
    return try file.tensor(name).rows(feature..<feature + 1)
  }
}
