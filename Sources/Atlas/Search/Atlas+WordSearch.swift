import Foundation
import GRDB

extension Atlas {
  /// Features whose explanations, own words, raised tokens or largest examples have all of `words`, best first by
  /// bm25 (Robertson & Zaragoza 2009, "The probabilistic relevance framework"; SQLite's, k1 = 1.2, b = 0.75) with
  /// weights 10, 6, 3 and 1.
  ///
  /// Case and diacritics do not matter. Words in double quotes must stand one behind the other, and `word*` stands for
  /// all that begin so; no other sign has a meaning.
  /// - Parameters:
  ///   - names: looks in these dictionaries alone.
  ///   - filter: features that may be found.
  ///   - limit: results at most.
  /// - Throws: `AtlasError.option` for text without a word, `.dictionary`, `.file`, which is also thrown while the
  ///   atlas is being built: the index is made at the end.
  public func search(
    words: String, in names: [String]? = nil, filter: SearchFilter = SearchFilter(), limit: Int = 20
  ) throws -> [SearchResult] {
    try Self.checkLimit(limit)
    let query = try WordQuery(words)
    try filter.validate()
    let ranges = try dictionaries(names).map {
      "rowid BETWEEN \($0.firstFeature) AND \($0.firstFeature + $0.features - 1)"
    }
    let condition = names == nil ? "" : "AND (\((ranges + ["0"]).joined(separator: " OR ")))"
    return try read { db in
      guard try SearchText.hasRows(db) else {
        throw missing("index of words")
      }
      let rows = try Row.fetchCursor(
        db,
        sql: """
          SELECT rowid AS id, bm25(search, 10.0, 6.0, 3.0, 1.0) AS relevance FROM search WHERE search MATCH ? \(condition)
          ORDER BY relevance, rowid
          """, arguments: [query.pattern])
      return try results(
        { try rows.next().map { Hit(id: $0["id"], score: -($0["relevance"] as Double)) } }, filter, limit: limit, db)
    }
  }
}
