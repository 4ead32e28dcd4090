import Checkpoints
import Foundation
import GRDB

extension Atlas {
  /// The labels of a feature, the one to show first: people's before models', models' before those made by rules, then
  /// by their accuracy in detection.
  /// - Throws: `AtlasError.dictionary`, `.feature`, `.file`.
  public func explanations(_ key: FeatureKey) throws -> [AtlasExplanation] {
    let id = try dictionary(key.dictionary).feature(key)
    return try read { try explanations(id, $0) }
  }

  func explanations(_ id: Int, _ db: Database) throws -> [AtlasExplanation] {
    try Self.explanations(id, db, path: url.path)
  }

  static func explanations(_ id: Int, _ db: Database, path: String) throws -> [AtlasExplanation] {
    let scores = try db.cachedStatement(sql: "SELECT * FROM score WHERE explanation_id = ? ORDER BY test, judge")
    return try Row.fetchAll(
      db.cachedStatement(sql: "SELECT * FROM explanation WHERE feature_id = ?"), arguments: [id]
    ).map { row in
      AtlasExplanation(
        author: row["author"], method: row["method"], text: row["text"], created: row["created"],
        promptSHA256: row["prompt_sha256"],
        scores: try Row.fetchAll(scores, arguments: [row["id"] as Int]).map {
          try AtlasExplanation.Score($0, path: path)
        })
    }.sorted { $0.precedes($1) }
  }
}

extension AtlasExplanation.Score {
  init(_ row: Row, path: String) throws {
    let name: String = row["test"]
    guard let test = LabelTest(rawValue: name) else {
      throw AtlasError.file(path: path, reason: "no test of labels is called '\(name.clipped)'")
    }
    undefined = try (row["reason"] as String?).map { try BalancedScore.Undefined(stored: $0, path: path) }
    self.test = test
    judge = row["judge"]
    balancedAccuracy = row["balanced_accuracy"]
    hardAccuracy = row["hard_accuracy"]
    (truePositives, falseNegatives) = (row["tp"], row["fn"])
    (trueNegatives, falsePositives) = (row["tn"], row["fp"])
    (refused, malformed, timedOut, failed) = (row["refused"], row["malformed"], row["timed_out"], row["failed"])
  }
}

extension BalancedScore.Undefined {
  /// Reads the column `score.reason`.
  /// - Throws: `AtlasError.file` for what no version writes.
  init(stored reason: String, path: String) throws {
    guard let known = Self(rawValue: reason) else {
      throw AtlasError.file(path: path, reason: "no score is missing for the reason '\(reason.clipped)'")
    }
    self = known
  }
}
