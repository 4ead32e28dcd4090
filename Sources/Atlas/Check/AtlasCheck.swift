import Foundation
import GRDB

/// What a check of an atlas found.
public struct AtlasCheck: Equatable, Sendable {
  /// Each fault in a sentence; empty for a sound atlas.
  public var faults: [String] = []
  /// What may be right but is worth a look.
  public var remarks: [String] = []
  /// Features looked at.
  public var features = 0

  /// At most so many faults of a kind are told one by one.
  static let mostTold = 5
}

extension Atlas {
  /// Checks that the file is sound and agrees with itself: SQLite's own checks, that intervals and sketches hold every
  /// firing once, that maxima are those of the best examples, that neighbours exist.
  /// - Throws: `AtlasError.file` for a file that cannot be read at all, and what `check` throws.
  public func check(check: () throws -> Void = {}) throws -> AtlasCheck {
    try read { db in
      var found = AtlasCheck()
      for row in try Row.fetchAll(db, sql: "PRAGMA integrity_check(5)") where row[0] as String? != "ok" {
        found.faults.append("SQLite: \(row[0] as String? ?? "unknown")")
      }
      let broken = try Row.fetchAll(db, sql: "PRAGMA foreign_key_check").count
      if broken > 0 { found.faults.append("\(broken) rows refer to rows that are not there") }
      if case .building(let tokens, let planned) = state {
        found.faults.append("not finished: \(tokens) of \(planned) tokens")
      }
      for dictionary in dictionaries { try self.check(dictionary, db, &found, check) }
      try checkReferences(db, &found)
      return found
    }
  }

  private func check(
    _ dictionary: AtlasDictionary, _ db: Database, _ found: inout AtlasCheck, _ check: () throws -> Void
  ) throws {
    let ids = dictionary.firstFeature..<dictionary.firstFeature + dictionary.features
    let tokens = Int(try String.fetchOne(db, sql: "SELECT value FROM meta WHERE key = 'tokens'") ?? "") ?? 0
    var counts: [String: Int] = [:]
    func fault(_ kind: String, _ text: @autoclosure () -> String) {
      counts[kind, default: 0] += 1
      if counts[kind, default: 0] <= AtlasCheck.mostTold { found.faults.append(text()) }
    }
    let rows = try Row.fetchCursor(
      db,
      sql: """
        SELECT feature.*, (SELECT activation FROM example WHERE feature_id = id AND bin = -1 AND rank = 0) AS best,
          (SELECT sum(count) FROM interval WHERE feature_id = id) AS inside,
          (SELECT count(*) FROM example WHERE feature_id = id) AS examples
        FROM feature WHERE dictionary_id = ? ORDER BY id
        """, arguments: [dictionary.id])
    var (seen, pairs) = (0, 0)
    while let row = try rows.next() {
      try check()
      let id: Int = row["id"]
      let key = dictionary.key(id - dictionary.firstFeature)
      if id != ids.lowerBound + seen { fault("place", "feature \(id) stands where \(ids.lowerBound + seen) should") }
      seen += 1
      // Published statistics have no counts.
      guard let count = row["count"] as Int? else { continue }
      pairs = pairs.saturatingSum(count)
      let sketch = ActivationSketch(encoded: (row["sketch"] as Data?) ?? Data())
      if sketch?.count != count { fault("sketch", "\(key): its sketch counts \(sketch?.count ?? -1), not \(count)") }
      if tokens > 0, abs((row["rate"] as Double) * Double(tokens) - Double(count)) > 1e-6 * Double(count) + 1e-9 {
        fault("rate", "\(key): its rate is not \(count) of \(tokens) tokens")
      }
      let best = row["best"] as Double?
      if best != row["max"] as Double? { fault("max", "\(key): its best example is not its maximum") }
      if state == .complete, (row["inside"] as Int?) ?? 0 != count {
        fault("intervals", "\(key): its intervals hold \((row["inside"] as Int?) ?? 0) of \(count) firings")
      }
      let quantiles = try (row["quantiles"] as Data?).map { try Blob.floats($0, "feature.quantiles") } ?? []
      if zip(quantiles, quantiles.dropFirst()).contains(where: { $0 > $1 }) {
        fault("quantiles", "\(key): its quantiles do not ascend")
      }
    }
    if seen != dictionary.features {
      found.faults.append("\(dictionary.name): \(seen) of \(dictionary.features) features")
    }
    for (kind, count) in counts.sorted(by: { $0.key < $1.key }) where count > AtlasCheck.mostTold {
      found.faults.append("… and \(count - AtlasCheck.mostTold) more such faults (\(kind)) in \(dictionary.name)")
    }
    found.features += seen
    if let card = dictionary.cardL0, tokens > 0, card > 0 {
      let l0 = Double(pairs) / Double(tokens)
      if abs(l0 - card) > 0.1 * card {
        found.remarks.append(
          "\(dictionary.name): L0 is \(rounded(l0)) here, \(rounded(card)) on its card: other text, or other weights")
      }
    }
  }

  private func rounded(_ number: Double) -> String { "\((number * 10).rounded() / 10)" }

  private func checkReferences(_ db: Database, _ found: inout AtlasCheck) throws {
    let questions = [
      ("neighbours that are no features", "neighbour", "other_id NOT IN (SELECT id FROM feature)"),
      ("neighbours of no feature", "neighbour", "feature_id NOT IN (SELECT id FROM feature)"),
      ("cosines and shares outside −1 to 1", "neighbour", "abs(value) > 1.0001"),
      ("examples of no feature", "example", "feature_id NOT IN (SELECT id FROM feature)"),
      ("examples outside their window", "example", "position < start OR position >= start + length"),
      ("texts of no feature", "search_text", "feature_id NOT IN (SELECT id FROM feature)"),
      ("windows of the pool without a sequence", "pool_window", "sequence_id NOT IN (SELECT id FROM sequence)"),
    ]
    for (what, table, condition) in questions {
      let count = try Int.fetchOne(db, sql: "SELECT count(*) FROM \(table) WHERE \(condition)") ?? 0
      if count > 0 { found.faults.append("\(count) \(what)") }
    }
  }
}
