import Dictionaries
import Foundation
import GRDB
import Sites

extension NeuronpediaWriter {
  /// A row of `Neuron`.
  func row(_ feature: AtlasFeature) throws -> String {
    var row = JSONRow()
    addPlace(&row, index: feature.key.index)
    row.add("sourceSetName", source.set)
    row.add("creatorId", options.creatorID)
    row.add("createdAt", created)
    let maximum = feature.maximum.map { Float($0) }
    try row.add("maxActApprox", maximum ?? 0)
    let vector = try vectors?.decoderRow(read: source.read, feature: feature.key.index, write: 0)
    row.add("hasVector", vector != nil)
    try row.add("vector", vector ?? [])
    row.add("vectorLabel", String?.none)
    row.add("hookName", source.dictionary.writes.count == 1 ? source.dictionary.writes[0].transformerLensName : nil)
    try row.add("vectorDefaultSteerStrength", maximum)
    let nearest = feature.nearest.filter(isInSource)
    row.add("topkCosSimIndices", nearest.map(\.key.index))
    try row.add("topkCosSimValues", nearest.map { Float($0.value) })
    try addAlignment(&row, vector ?? [])
    for column in ["indices", "pearson", "l1"] { row.add("correlated_neurons_\(column)", list: []) }
    try addCoactive(&row, feature)
    let (top, bottom) = (feature.logits?.top ?? [], feature.logits?.bottom ?? [])
    row.add("neg_str", bottom.map { $0.token.piece })
    try row.add("neg_values", bottom.map { $0.value })
    row.add("pos_str", top.map { $0.token.piece })
    try row.add("pos_values", top.map { $0.value })
    try row.add("frac_nonzero", feature.rate)
    let bars = feature.sketch.equalParts(Self.bars, upTo: maximum ?? 0)
    try row.add("freq_hist_data_bar_heights", bars.map { $0.count })
    try row.add("freq_hist_data_bar_values", bars.map { $0.centre })
    let counts = feature.logits?.counts ?? []
    row.add("logits_hist_data_bar_heights", counts)
    if let logits = feature.logits {
      let width = (Double(logits.high) - Double(logits.low)) / Double(max(counts.count, 1))
      try row.add(
        "logits_hist_data_bar_values", counts.indices.map { Float(Double(logits.low) + (Double($0) + 0.5) * width) })
    } else {
      row.add("logits_hist_data_bar_values", list: [])
    }
    row.add("decoder_weights_dist", list: [])
    return row.line
  }

  /// Bars of a histogram there.
  private static let bars = 50

  /// The indices of a row are those of its source.
  private func isInSource(_ other: AtlasFeature.Neighbour) -> Bool {
    source.dictionary.reads.count == 1 || other.key.layer == source.site.layer
  }

  /// The three largest numbers of the decoder row, and what they are of the sum of all magnitudes.
  private func addAlignment(_ row: inout JSONRow, _ vector: [Float]) throws {
    let norm = vector.reduce(0.0) { $0 + abs(Double($1)) }
    let largest = norm > 0 ? vector.indices.sorted { (vector[$1], $0) < (vector[$0], $1) }.prefix(3) : []
    row.add("neuron_alignment_indices", Array(largest))
    try row.add("neuron_alignment_values", largest.map { vector[$0] })
    try row.add("neuron_alignment_l1", largest.map { Float(abs(Double(vector[$0])) / norm) })
  }

  /// Features that are often on at the same tokens: Pearson's correlation and the cosine of being on (1) or off (0),
  /// in the columns in which SAEDashboard has these two.
  private func addCoactive(_ row: inout JSONRow, _ feature: AtlasFeature) throws {
    let list = try atlas.read { db in
      try feature.coactive.filter(isInSource).compactMap { other -> (index: Int, value: FiringCorrelation)? in
        let rate = try Double.fetchOne(
          db, sql: "SELECT rate FROM feature WHERE id = ?", arguments: [source.firstFeature + other.key.index])
        return FiringCorrelation(
          jaccard: other.value, both: other.tokens ?? 0, rates: (feature.rate, rate ?? 0), of: coactiveTokens ?? 0
        ).map { (other.key.index, $0) }
      }
    }
    row.add("correlated_features_indices", list.map { $0.index })
    try row.add("correlated_features_pearson", list.map { Float($0.value.pearson) })
    try row.add("correlated_features_l1", list.map { Float($0.value.cosine) })
  }
}

/// How two features' being on goes together.
struct FiringCorrelation: Equatable {
  let pearson, cosine: Double

  /// From J = n₁₁ / (n₁ + n₂ − n₁₁) and n₁₁ of N tokens: n₁ + n₂ = n₁₁ (1 + 1/J), shared out by the features' rates.
  /// That is exact where all tokens were counted, and near it where they were a sample. Nil where one feature is always
  /// on, of which there is no correlation, or where the numbers contradict one another.
  init?(jaccard: Double, both: Int, rates: (Double, Double), of tokens: Int) {
    guard jaccard > 0, jaccard <= 1, both > 0, 0 < rates.0, rates.0 < 1, 0 < rates.1, rates.1 < 1 else { return nil }
    let (n, n11) = (Double(tokens), Double(both))
    // Counts are whole numbers.
    let sum = (n11 * (1 + 1 / jaccard)).rounded()
    let n1 = min(max((sum * rates.0 / (rates.0 + rates.1)).rounded(), n11), sum - n11)
    let n2 = sum - n1
    guard n1 < n, n2 < n else { return nil }
    pearson = min((n * n11 - n1 * n2) / (n1 * (n - n1) * n2 * (n - n2)).squareRoot(), 1)
    cosine = min(n11 / (n1 * n2).squareRoot(), 1)
  }
}
