import Foundation
import GRDB
import Sites

/// A feature that a search found.
public struct SearchResult: Equatable, Sendable {
  /// Its name.
  public let key: FeatureKey
  /// What results are ordered by, larger first: of words the negative bm25 rank, of codes the bits, of directions the
  /// cosine. Nil for a feature that fires now but of which nothing is known: published statistics with a rate of 0.
  public let score: Double?
  /// Where codes were asked for: the largest activation, and the row of the code that has it.
  public let activation: Float?
  public let row: Int?
  /// Whether `score` is a lower bound made from the rate alone, since the atlas does not know how often the feature was
  /// as strong (published statistics).
  public let isApproximate: Bool
  /// Share of the atlas's tokens at which it was on.
  public let rate: Double
  /// The explanation of the highest mean score, else the oldest; nil without one.
  public let label: String?
  /// The mean balanced accuracy of that explanation's tests; nil where none was made.
  public let labelScore: Double?
  /// Why the label has no score; nil where it has one, or there is no label.
  public let labelUntested: AtlasExplanation.Untested?
  /// Its largest example; nil for a feature that was never on.
  public let example: AtlasExample?
}

/// A feature found, before the rest of it is looked up.
struct Hit {
  let id: Int
  let score: Double?
  var activation: Float?
  var row: Int?
  var isApproximate = false
}

extension Atlas {
  /// Looks up the names, rates, labels and best examples of the first `limit` hits that `filter` lets through.
  /// - Parameter next: hits, the best first; nil behind the last.
  func results(
    _ next: () throws -> Hit?, _ filter: SearchFilter, limit: Int, _ db: Database
  ) throws -> [SearchResult] {
    let label = try db.makeStatement(
      sql: """
        SELECT id, text, author, (SELECT avg(balanced_accuracy) FROM score WHERE explanation_id = explanation.id) AS mean
        FROM explanation WHERE feature_id = ? AND (? IS NULL OR EXISTS(
          SELECT 1 FROM score WHERE explanation_id = explanation.id AND test = 'detection' AND balanced_accuracy >= ?))
        ORDER BY mean IS NULL, mean DESC, id LIMIT 1
        """)
    let reasons = try db.makeStatement(
      sql: "SELECT reason FROM score WHERE explanation_id = ? AND reason IS NOT NULL ORDER BY test, judge LIMIT 1")
    let rates = try db.makeStatement(sql: "SELECT rate FROM feature WHERE id = ?")
    let least = filter.minimumScore
    var results: [SearchResult] = []
    while results.count < limit, let hit = try next() {
      let rate = try Double.fetchOne(rates, arguments: [hit.id]) ?? 0
      if let most = filter.maximumRate, rate > most { continue }
      if let site = filter.site, read(by: hit.id) != site { continue }
      let found = try Row.fetchOne(label, arguments: [hit.id, least, least])
      if least != nil, found == nil { continue }
      let mean: Double? = found?["mean"]
      let untested = try found.flatMap { row -> AtlasExplanation.Untested? in
        guard mean == nil else { return nil }
        let reason = try String.fetchOne(reasons, arguments: [row["id"] as Int])
        return .init(
          label: row["text"], by: row["author"],
          reason: try reason.map { try BalancedScore.Undefined(stored: $0, path: url.path) })
      }
      results.append(
        SearchResult(
          key: try key(hit.id), score: hit.score, activation: hit.activation, row: hit.row,
          isApproximate: hit.isApproximate, rate: rate, label: found?["text"], labelScore: mean,
          labelUntested: untested, example: try best(hit.id, db)))
    }
    return results
  }

  func results(_ hits: [Hit], _ filter: SearchFilter, limit: Int, _ db: Database) throws -> [SearchResult] {
    var rest = hits.makeIterator()
    return try results({ rest.next() }, filter, limit: limit, db)
  }

  /// The site that a feature reads, by its number in the database.
  private func read(by id: Int) -> Site? {
    dictionaries.lazy.filter { $0.firstFeature..<$0.firstFeature + $0.features ~= id }.first.map {
      $0.reads[(id - $0.firstFeature) / $0.width]
    }
  }

  /// The dictionaries called `names`, all where there are no names.
  /// - Throws: `AtlasError.dictionary`.
  func dictionaries(_ names: [String]?) throws -> [AtlasDictionary] {
    try names.map { try $0.map(dictionary) } ?? dictionaries
  }

  /// The error for a search by what a build makes at its end, and is not there.
  func missing(_ what: String) -> AtlasError {
    guard case .building(let tokens, let planned) = state else {
      return .file(path: url.path, reason: "has no \(what), which every finished build has; it was altered since")
    }
    return .file(
      path: url.path,
      reason: "has no \(what) yet, which the build makes after its last token (\(tokens) of \(planned) are counted): "
        + "search by a text meanwhile, or run the same 'gscope atlas build' to its end")
  }

  static func checkLimit(_ limit: Int) throws {
    guard limit > 0 else { throw AtlasError.option(name: "limit", reason: "is \(limit), expected 1 or more") }
  }
}
