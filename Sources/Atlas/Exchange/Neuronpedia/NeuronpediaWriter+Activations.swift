import Foundation
import GRDB

extension NeuronpediaWriter {
  /// Hands over a row of `Activation` for each example of a feature: the top ones, then those of the intervals from the
  /// lowest on.
  func eachExample(of feature: AtlasFeature, _ db: Database, _ body: (String) throws -> Void) throws {
    let id = source.firstFeature + feature.key.index
    let rows = try Row.fetchCursor(
      db.cachedStatement(
        sql: """
          SELECT example.bin, example.sequence_id, example.position, example.start, example.length, example.active,
            example.sources, sequence.tokens
          FROM example JOIN sequence ON sequence.id = sequence_id WHERE feature_id = ? ORDER BY bin, rank
          """), arguments: [id])
    while let row = try rows.next() { try body(self.row(row, feature, db)) }
  }

  private func row(_ example: Row, _ feature: AtlasFeature, _ db: Database) throws -> String {
    let (sequence, position): (Int, Int) = (example["sequence_id"], example["position"])
    let (bin, start, length): (Int, Int, Int) = (example["bin"], example["start"], example["length"])
    let all: Data = example["tokens"]
    guard start >= 0, length > 0, start <= all.count / 4 - length, start..<start + length ~= position else {
      throw AtlasError.file(
        path: atlas.url.path, reason: "a window of \(length) tokens at \(start) of \(all.count / 4)")
    }
    let window = Data(all.dropFirst(start * 4).prefix(length * 4))
    let pieces = try Blob.integers(window, Int32.self, "sequence.tokens").map { try piece($0, db) }
    var values = [Float](repeating: 0, count: length)
    for token in try ActiveBlob.decode(example["active"]) where token.offset < length {
      values[token.offset] = token.activation
    }
    let sources = try (example["sources"] as Data?).map { try SourcesBlob.decode($0, length: length).window }
    var row = JSONRow()
    row.add(
      "id",
      NeuronpediaID.make(
        [modelID, source.id, "\(feature.key.index)", "\(sequence)", "\(position)", "\(bin)"]))
    addPlace(&row, index: feature.key.index)
    row.add("creatorId", options.creatorID)
    row.add("createdAt", created)
    row.add("dataSource", corpus.isEmpty ? nil : corpus)
    row.add("dataIndex", String(sequence))
    row.add("tokens", list: pieces)
    try row.add("values", values)
    let largest = values.max() ?? 0
    try row.add("maxValue", largest)
    try row.add("minValue", values.min() ?? 0)
    row.add("maxValueTokenIndex", values.firstIndex(of: largest) ?? 0)
    try row.add("dfaValues", sources ?? [])
    row.add("dfaTargetIndex", sources == nil ? nil : position - start)
    try row.add("dfaMaxValue", sources?.max())
    try addInterval(&row, bin, feature)
    row.add("qualifyingTokenIndex", position - start)
    row.add("lossValues", list: [])
    row.add("logitContributions", String?.none)
    return row.line
  }

  /// Which part of the activations the example stands for: Neuronpedia knows the top ones by −1 as lower bound, and of
  /// an interval its bounds and its share of all tokens.
  private func addInterval(_ row: inout JSONRow, _ bin: Int, _ feature: AtlasFeature) throws {
    if bin < 0 {
      let none = -1
      row.add("binMin", none)
      try row.add("binMax", feature.maximum.map { Float($0) })
      return row.add("binContains", none)
    }
    guard feature.intervals.indices ~= bin, let tokens, tokens > 0 else {
      throw AtlasError.file(
        path: atlas.url.path, reason: "an example of interval \(bin) of \(feature.key), which has none")
    }
    let interval = feature.intervals[bin]
    try row.add("binMin", Float(interval.lower))
    try row.add("binMax", Float(interval.upper))
    try row.add("binContains", Double(interval.count) / Double(tokens))
  }
}
