import Foundation
import GRDB

extension Atlas {
  /// Everything about a feature but its examples.
  /// - Throws: `AtlasError.dictionary`, `.feature`, `.file`.
  public func feature(_ key: FeatureKey) throws -> AtlasFeature {
    let dictionary = try dictionary(key.dictionary)
    let id = try dictionary.feature(key)
    return try read { db in
      guard let row = try Row.fetchOne(db, sql: "SELECT * FROM feature WHERE id = ?", arguments: [id]) else {
        throw AtlasError.file(path: url.path, reason: "feature \(id) is missing")
      }
      let shares = FeatureWriter.quantiles
      let quantiles = try (row["quantiles"] as Data?).map { try Blob.floats($0, "feature.quantiles") } ?? []
      guard let sketch = ActivationSketch(encoded: (row["sketch"] as Data?) ?? Data()) else {
        throw AtlasError.file(path: url.path, reason: "the sketch of feature \(id) cannot be read")
      }
      let place: (Int, Int)? = (row["max_sequence"] as Int?).flatMap { sequence in
        (row["max_position"] as Int?).map { (sequence, $0) }
      }
      return AtlasFeature(
        key: dictionary.key(id - dictionary.firstFeature), dictionary: dictionary, count: row["count"],
        sequences: row["sequences"], rate: row["rate"], mean: row["mean"], maximum: row["max"], place: place,
        quantiles: zip(shares, quantiles).map { ($0, $1) }, sketch: sketch, intervals: try intervals(id, db),
        logits: try logits(id, db), nearest: try neighbours(id, .decoder, db),
        coactive: try neighbours(id, .coactive, db), elsewhere: try neighbours(id, .elsewhere, db),
        prefix: row["prefix"], explanations: try explanations(id, db))
    }
  }

  private func intervals(_ id: Int, _ db: Database) throws -> [AtlasFeature.Interval] {
    try Row.fetchAll(
      db, sql: "SELECT lower, upper, count FROM interval WHERE feature_id = ? ORDER BY bin", arguments: [id]
    ).map { AtlasFeature.Interval(lower: $0["lower"], upper: $0["upper"], count: $0["count"]) }
  }

  private func logits(_ id: Int, _ db: Database) throws -> AtlasFeature.Logits? {
    guard let row = try Row.fetchOne(db, sql: "SELECT * FROM logits WHERE feature_id = ?", arguments: [id]) else {
      return nil
    }
    func entries(_ tokens: String, _ values: String) throws -> [(token: AtlasToken, value: Float)] {
      let ids = try Blob.integers(row[tokens], Int32.self, "logits.\(tokens)")
      return try zip(self.tokens(ids, db), Blob.floats(row[values], "logits.\(values)")).map { ($0, $1) }
    }
    var (low, high, counts): (Float, Float, [Int]) = (0, 0, [])
    if let histogram = row["histogram"] as Data?, histogram.count >= 8 {
      let range = try Blob.floats(histogram.prefix(8), "logits.histogram")
      (low, high) = (range[0], range[1])
      counts = try Blob.integers(Data(histogram.dropFirst(8)), UInt32.self, "logits.histogram").map { Int($0) }
    }
    return AtlasFeature.Logits(
      top: try entries("top_tokens", "top_values"), bottom: try entries("bottom_tokens", "bottom_values"), low: low,
      high: high, counts: counts)
  }

  private func neighbours(
    _ id: Int, _ kind: FeatureNeighbours.Kind, _ db: Database
  ) throws -> [AtlasFeature.Neighbour] {
    try Row.fetchAll(
      db, sql: "SELECT other_id, value, tokens FROM neighbour WHERE feature_id = ? AND kind = ? ORDER BY rank",
      arguments: [id, kind.rawValue]
    ).map { row in
      let other: Int = row["other_id"]
      return AtlasFeature.Neighbour(key: try key(other), value: row["value"], tokens: row["tokens"])
    }
  }

  /// The name of a feature by its number in the database.
  func key(_ id: Int) throws -> FeatureKey {
    guard
      let dictionary = dictionaries.first(where: { $0.firstFeature..<$0.firstFeature + $0.features ~= id })
    else { throw AtlasError.file(path: url.path, reason: "feature \(id) belongs to no dictionary") }
    return dictionary.key(id - dictionary.firstFeature)
  }

  /// Tokens by their ids.
  func tokens(_ ids: [Int32], _ db: Database) throws -> [AtlasToken] {
    let statement = try db.cachedStatement(sql: "SELECT piece, bytes FROM token WHERE id = ?")
    var known: [Int32: AtlasToken] = [:]
    return try ids.map { id in
      if let token = known[id] { return token }
      guard let row = try Row.fetchOne(statement, arguments: [Int(id)]) else {
        throw AtlasError.file(path: url.path, reason: "token \(id) is missing")
      }
      let token = AtlasToken(id: id, piece: row["piece"], bytes: [UInt8](row["bytes"] as Data))
      known[id] = token
      return token
    }
  }
}
