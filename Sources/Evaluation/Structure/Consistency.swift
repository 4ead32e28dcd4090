public import Dictionaries
public import Gemma

/// How far two dictionaries of one site, trained alike from different seeds, found the same features: one read of each.
///
/// Features that never fire keep directions much as they were drawn, so `alive` is what to quote, and either figure
/// means something only beside its `null`.
public struct Consistency: Equatable, Sendable {
  /// The comparison of some features of both.
  public struct Scope: Equatable, Sendable {
    /// Of decoder rows, over all writes.
    public let decoder: RowAgreement
    /// Of encoder columns.
    public let encoder: RowAgreement
    /// Of as many random directions as there are features, as long as decoder rows.
    public let null: RowAgreement
    /// Share of the pairs that decoder and encoder matching agree on, with a decoder cosine of at least 0.7 (after
    /// Paulo & Belrose 2025, arXiv 2501.16615); nil without pairs.
    public let sharedShare: Double?

    /// The cosine from which a pair that both matchings find counts as shared.
    public static let sharedThreshold = 0.7
  }

  /// The read compared.
  public let read: Int
  /// All features.
  public let all: Scope
  /// Those that were active on some token; nil where densities were not given.
  public let alive: Scope?
  /// Mean cosine of the alive matching's pairs, each weighted by the mean of its two features' densities; nil without
  /// densities or pairs.
  public let densityWeighted: Double?

  /// - Parameters:
  ///   - read: which read of both.
  ///   - densities: how often the features of each are active, on the same tokens.
  ///   - seed: of the random directions.
  ///   - exactLimit: features up to which matchings are exact; see `CosineMatrix.matching`.
  ///   - check: called often; throws to stop.
  /// - Throws: `EvaluationError.shape` for dictionaries of different sites or models and densities of others,
  ///   `TensorError`, what `check` throws.
  /// - Complexity: that of three matchings, or six with densities; one of 4,096 random directions takes about a second.
  public init(
    _ a: SparseDictionary, _ b: SparseDictionary, read: Int = 0,
    densities: (a: FeatureDensity, b: FeatureDensity)? = nil, seed: UInt64 = 0, exactLimit: Int = 4096,
    check: CancellationCheck = {}
  ) throws {
    try Comparison.check(a, b, read: read)
    if let densities {
      try Comparison.check(densities.a, of: a)
      try Comparison.check(densities.b, of: b)
      guard densities.a.tokens == densities.b.tokens else {
        throw EvaluationError.shape(
          what: "densities of \(b.name)", expected: "over the \(densities.a.tokens) tokens of those of \(a.name)",
          found: "\(densities.b.tokens)")
      }
    }
    func scope(_ ofA: [Int]?, _ ofB: [Int]?) throws -> Scope {
      func agreement(_ rowsOfA: UnitRows, _ rowsOfB: UnitRows) throws -> RowAgreement {
        try RowAgreement(
          CosineMatrix(rowsOfA, rowsOfB, backend: a.backend), exactLimit: exactLimit, check: check)
      }
      let rows = (
        try UnitRows(decoderOf: a, read: read, features: ofA), try UnitRows(decoderOf: b, read: read, features: ofB)
      )
      return Scope(
        decoder: try agreement(rows.0, rows.1),
        encoder: try agreement(
          UnitRows(encoderOf: a, read: read, features: ofA), UnitRows(encoderOf: b, read: read, features: ofB)),
        null: try agreement(
          UnitRows(random: rows.0.count, width: rows.0.width, seed: seed, stream: 1),
          UnitRows(random: rows.1.count, width: rows.1.width, seed: seed, stream: 2)))
    }
    self.read = read
    all = try scope(nil, nil)
    let alive = try densities.map { try scope($0.a.alive(read: read), $0.b.alive(read: read)) }
    self.alive = alive
    densityWeighted = densities.flatMap { densities in
      var (sum, weights) = (0.0, 0.0)
      for pair in alive?.decoder.pairs ?? [] {
        let weight = Double(densities.a.counts[read][pair.a] + densities.b.counts[read][pair.b])
        sum += weight * pair.cosine
        weights += weight
      }
      return weights > 0 ? sum / weights : nil
    }
  }
}

extension Consistency.Scope {
  init(decoder: RowAgreement, encoder: RowAgreement, null: RowAgreement) {
    let ofEncoder = Dictionary(encoder.pairs.map { ($0.a, $0.b) }) { first, _ in first }
    let shared = decoder.pairs.count { $0.cosine >= Self.sharedThreshold && ofEncoder[$0.a] == $0.b }
    self.init(
      decoder: decoder, encoder: encoder, null: null,
      sharedShare: decoder.pairs.isEmpty ? nil : Double(shared) / Double(decoder.pairs.count))
  }
}
