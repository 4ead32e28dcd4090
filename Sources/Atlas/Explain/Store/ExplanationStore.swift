import Foundation
import GRDB

/// Writes labels and their scores into a finished atlas. Others may read it meanwhile, and see whole batches.
///
/// A label of an explainer (author and method) takes the place of its earlier one; others' stay. Scores of a label
/// whose text has changed go with it, and those of the same text stay until their test and judge come again.
public final class ExplanationStore: Sendable {
  private let url: URL
  private let dictionaries: [AtlasDictionary]
  private let queue: DatabaseQueue

  /// Opens an atlas for writing.
  /// - Throws: `AtlasError.unfinished` for one that is being built, `.file` for one that cannot be written.
  public init(_ atlas: Atlas) throws {
    if case .building(let tokens, let planned) = atlas.state {
      throw AtlasError.unfinished(path: atlas.url.path, tokens: tokens, of: planned)
    }
    url = atlas.url
    dictionaries = atlas.dictionaries
    queue = try AtlasFiles.openForExplaining(atlas.url)
  }

  /// Writes results in one transaction: all of them or, after an error, none. Those without a label change nothing. New
  /// labels are found by words at once.
  /// - Throws: `AtlasError.dictionary`, `.feature` for results of other features, `.file`.
  public func write(_ results: [ExplanationResult]) throws {
    let rows = try results.compactMap { result -> (id: Int, result: ExplanationResult, label: Explanation)? in
      guard case .success(let label) = result.explanation else { return nil }
      return (try id(result.key), result, label)
    }
    guard !rows.isEmpty else { return }
    let now = Date.now.ISO8601Format()
    try AtlasFiles.named(url) {
      try queue.write { db in
        var changed: Set<Int> = []
        for row in rows {
          if try write(row.label, row.result, of: row.id, now, db) { changed.insert(row.id) }
        }
        try SearchText.updateLabels(db, of: changed.sorted())
      }
    }
  }

  private func id(_ name: String) throws -> Int {
    guard let key = FeatureKey(name), let dictionary = dictionaries.first(where: { $0.name == key.dictionary }) else {
      throw AtlasError.dictionary(name: name, known: dictionaries.map(\.name))
    }
    return try dictionary.feature(key)
  }

  /// Whether the text is another than before.
  private func write(
    _ label: Explanation, _ result: ExplanationResult, of feature: Int, _ now: String, _ db: Database
  ) throws -> Bool {
    let mine: StatementArguments = [feature, result.author, result.method]
    let old = try Row.fetchOne(
      db.cachedStatement(
        sql: "SELECT id, text FROM explanation WHERE feature_id = ? AND author = ? AND method = ?"), arguments: mine)
    let before: String? = old?["text"]
    let isNew = before != label.text
    if let old, isNew {
      try db.cachedStatement(sql: "DELETE FROM score WHERE explanation_id = ?").execute(arguments: [old["id"] as Int])
    }
    try db.cachedStatement(
      sql: """
        INSERT INTO explanation(feature_id, author, method, text, created, prompt_sha256) VALUES (?, ?, ?, ?, ?, ?)
        ON CONFLICT(feature_id, author, method)
        DO UPDATE SET text = excluded.text, created = excluded.created, prompt_sha256 = excluded.prompt_sha256
        """
    ).execute(arguments: mine + [label.text, now, label.promptSHA256])
    let id = old.map { $0["id"] as Int64 } ?? db.lastInsertedRowID
    let statement = try db.cachedStatement(
      sql: """
        INSERT OR REPLACE INTO score(explanation_id, test, judge, balanced_accuracy, hard_accuracy, tp, fn, tn, fp,
          refused, malformed, timed_out, failed, reason, created) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """)
    for score in result.scores.map({ AtlasExplanation.Score($0) }) {
      try statement.execute(arguments: [
        id, score.test.rawValue, score.judge, score.balancedAccuracy, score.hardAccuracy, score.truePositives,
        score.falseNegatives, score.trueNegatives, score.falsePositives, score.refused, score.malformed,
        score.timedOut, score.failed, score.undefined?.rawValue, now,
      ])
    }
    return isNew
  }
}
