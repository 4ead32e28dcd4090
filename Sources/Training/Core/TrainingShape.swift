public import Dictionaries

/// The one structure behind all kinds of dictionary: *sources* that each read one input and write a run of columns of the
/// concatenated targets.
///
/// Source s has `width` features. Its encoder reads input s; its decoder writes targets `firstWrite(s) ..< writes`. An
/// SAE or transcoder has one source and one write; in multi-layer kinds source s writes to its own layer and all later
/// ones.
public struct TrainingShape: Hashable, Sendable {
  public let kind: DictionaryKind
  /// Inputs read.
  public let sources: Int
  /// Targets written; for multi-layer kinds as many as are read.
  public let writes: Int
  /// Features of each source, over all ranks.
  public let width: Int
  /// Length of one activation at a read.
  public let inputWidth: Int
  /// Length of one activation at a write.
  public let outputWidth: Int
  /// Whether write s adds `x · skip` of source s.
  public let isAffine: Bool
  /// The features that are here.
  public let shard: FeatureShard

  /// - Throws: `TrainingError.setting` naming what does not fit.
  public init(
    kind: DictionaryKind, sources: Int = 1, width: Int, inputWidth: Int, outputWidth: Int, isAffine: Bool = false,
    shard: FeatureShard = .whole
  ) throws {
    for (name, value) in [
      ("sources", sources), ("width", width), ("input width", inputWidth), ("output width", outputWidth),
    ] where value < 1 || value > Int(Int32.max) {
      throw TrainingError.setting(name: name, expected: "1 ... \(Int32.max)", found: "\(value)")
    }
    guard kind.isMultiLayer || sources == 1 else {
      throw TrainingError.setting(name: "sources", expected: "1 for the kind \(kind.rawValue)", found: "\(sources)")
    }
    guard kind != .sae && kind != .crosscoder || inputWidth == outputWidth else {
      throw TrainingError.setting(
        name: "output width", expected: "\(inputWidth), what the \(kind.rawValue) reads", found: "\(outputWidth)")
    }
    guard !isAffine || kind == .transcoder || kind == .clt else {
      throw TrainingError.setting(name: "affine", expected: "a transcoder or clt", found: kind.rawValue)
    }
    guard shard.count <= width else {
      throw TrainingError.setting(name: "ranks", expected: "at most \(width), the width", found: "\(shard.count)")
    }
    self.kind = kind
    self.sources = sources
    writes = kind.isMultiLayer ? sources : 1
    self.width = width
    self.inputWidth = inputWidth
    self.outputWidth = outputWidth
    self.isAffine = isAffine
    self.shard = shard
  }

  /// The shape of a dictionary to be trained.
  /// - Throws: `TrainingError.setting` as above, or for a multi-layer dictionary that writes elsewhere than it reads.
  public init(_ shape: DictionaryShape, shard: FeatureShard = .whole) throws {
    guard shape.writes.count == shape.reads.count else {
      throw TrainingError.setting(
        name: "writes", expected: "\(shape.reads.count), one for each read", found: "\(shape.writes.count)")
    }
    try self.init(
      kind: shape.kind, sources: shape.reads.count, width: shape.width, inputWidth: shape.inputWidth,
      outputWidth: shape.outputWidth, isAffine: shape.isAffine, shard: shard)
  }

  /// Features of each source that are here.
  public var localWidth: Int { shard.localCount(width) }
  /// Columns of all targets together.
  public var totalOutputWidth: Int { writes * outputWidth }
  /// The first target that source `source` writes.
  public func firstWrite(_ source: Int) -> Int { kind.isMultiLayer ? source : 0 }
  /// The columns of the concatenated targets that source `source` writes.
  public func columns(ofSource source: Int) -> Range<Int> { firstWrite(source) * outputWidth..<totalOutputWidth }
  /// Whether the decoder's bias is subtracted before encoding (folded away on save): SAEs only, as in Gemma Scope.
  public var subtractsBias: Bool { kind == .sae }
}
