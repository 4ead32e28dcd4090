import Foundation
import GRDB

/// What an atlas holds, in numbers.
public struct AtlasSummary: Equatable, Sendable {
  /// Features of all dictionaries, and those that were ever on.
  public let features, live: Int
  /// Tokens counted so far; nil for published statistics, which do not say.
  public let tokens: Int?
  /// Labels, and features that have one.
  public let labels, labelled: Int
  /// Labels that were tested in detection, and the mean of their balanced accuracies (of several judges the best);
  /// nil where none was.
  public let tested: Int
  public let meanScore: Double?
  /// Of the file, without the log of one that is being built.
  public let bytes: Int
}

extension Atlas {
  /// Counts what is there.
  /// - Throws: `AtlasError.file`.
  public func summary() throws -> AtlasSummary {
    let bytes = (try? FileManager.default.attributesOfItem(atPath: url.path)[.size] as? NSNumber)?.intValue ?? 0
    return try read { db in
      func count(_ sql: String) throws -> Int { try Int.fetchOne(db, sql: sql) ?? 0 }
      let scores = try Row.fetchOne(
        db,
        sql: """
          SELECT count(best) AS tested, avg(best) AS mean FROM (
            SELECT max(balanced_accuracy) AS best FROM score WHERE test = 'detection' GROUP BY explanation_id)
          """)
      let tested: Int? = scores?["tested"]
      return AtlasSummary(
        features: dictionaries.reduce(0) { $0 + $1.features },
        live: try count("SELECT count(*) FROM feature WHERE rate > 0"),
        tokens: try String.fetchOne(db, sql: "SELECT value FROM meta WHERE key = 'tokens'").flatMap { Int($0) },
        labels: try count("SELECT count(*) FROM explanation"),
        labelled: try count("SELECT count(DISTINCT feature_id) FROM explanation"), tested: tested ?? 0,
        meanScore: scores?["mean"], bytes: bytes)
    }
  }
}

/// The system's SQLite, in which atlases are kept.
public struct AtlasLibrary: Equatable, Sendable {
  /// Its version, such as `3.40.1`.
  public let version: String
  /// Whether it has FTS5, by which words are found; without it no atlas can be made or opened.
  public let hasTextSearch: Bool
  /// Whether it knows STRICT tables (3.37).
  public let hasStrictTables: Bool

  /// Asks the library.
  /// - Throws: `AtlasError.file` where it does not work at all.
  public init() throws {
    let place = URL(filePath: "SQLite")
    (version, hasTextSearch, hasStrictTables) = try AtlasFiles.named(place) {
      let queue = try DatabaseQueue()
      func works(_ sql: String) -> Bool { (try? queue.write { try $0.execute(sql: sql) }) != nil }
      let version = try queue.read { try String.fetchOne($0, sql: "SELECT sqlite_version()") }
      return (
        version ?? "unknown", works("CREATE VIRTUAL TABLE words USING fts5(text)"),
        works("CREATE TABLE numbers(number INTEGER) STRICT")
      )
    }
  }
}
