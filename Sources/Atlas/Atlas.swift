public import Foundation
import GRDB

/// How far an atlas is.
public enum AtlasState: Equatable, Sendable {
  case complete
  /// Its pass has counted so many tokens, or it is being finished.
  case building(tokens: Int, of: Int)
}

/// An atlas: what every feature of some dictionaries was seen to do, in one SQLite file that docs/atlas.md describes.
///
/// ```swift
/// let atlas = try Atlas(contentsOf: URL(filePath: "atlas.sqlite"))
/// let feature = try atlas.feature(FeatureKey(dictionary: "resid_post/layer_9_width_2k_l0_60", index: 17))
/// ```
///
/// The file is only read; any number of processes may, also while it is being built.
public final class Atlas: Sendable {
  /// The file that was opened.
  public let url: URL
  /// Whether it is whole.
  public let state: AtlasState
  /// What it covers, in the order in which they were given.
  public let dictionaries: [AtlasDictionary]
  let queue: DatabaseQueue

  /// Opens an atlas.
  /// - Parameters:
  ///   - url: the finished file, or the one that is being built.
  ///   - allowPartial: whether an atlas that is being built, or whose building was stopped, will do.
  /// - Throws: `AtlasError.unfinished`, `.file`.
  public init(contentsOf url: URL, allowPartial: Bool = false) throws {
    let files = AtlasFiles(url)
    let place = files.isFinished || !files.isBegun ? url : files.working
    self.url = place
    let queue = try AtlasFiles.openForReading(place)
    self.queue = queue
    let (meta, dictionaries) = try AtlasFiles.named(place) {
      try queue.read { db in
        let rows = try Row.fetchAll(
          db, sql: "SELECT key, value FROM meta WHERE key IN ('state', 'tokens', 'tokens_planned')")
        let meta = Dictionary(rows.map { ($0["key"] as String, $0["value"] as String) }) { first, _ in first }
        let dictionaries = try Row.fetchAll(db, sql: "SELECT * FROM dictionary ORDER BY id").map(AtlasDictionary.init)
        for dictionary in dictionaries { try dictionary.checkFeatures(db, path: place.path) }
        return (meta, dictionaries)
      }
    }
    var first = 0
    for dictionary in dictionaries {
      guard dictionary.firstFeature == first else {
        throw AtlasError.file(
          path: place.path, reason: "'\(dictionary.name)' begins at \(dictionary.firstFeature), expected \(first)")
      }
      first += dictionary.features
    }
    self.dictionaries = dictionaries
    let (tokens, planned) = (Int(meta["tokens"] ?? "") ?? 0, Int(meta["tokens_planned"] ?? "") ?? 0)
    if meta["state"] == "complete", files.isFinished {
      state = .complete
    } else {
      state = .building(tokens: tokens, of: planned)
      guard allowPartial else { throw AtlasError.unfinished(path: url.path, tokens: tokens, of: planned) }
    }
  }

  /// Whether an atlas is being built that will be at `url`, or its building was stopped.
  public static func isBegun(at url: URL) -> Bool { AtlasFiles(url).isBegun }

  /// A value of the table `meta`; nil for a key that is not there.
  /// - Throws: `AtlasError.file`.
  public func meta(_ key: String) throws -> String? {
    try read { try String.fetchOne($0, sql: "SELECT value FROM meta WHERE key = ?", arguments: [key]) }
  }

  func read<Result>(_ body: (Database) throws -> Result) throws -> Result {
    try AtlasFiles.named(url) { try queue.read(body) }
  }

  /// The dictionary called `name`, or the only one whose name ends with `/name`.
  /// - Throws: `AtlasError.dictionary`.
  public func dictionary(_ name: String) throws -> AtlasDictionary {
    if let exact = dictionaries.first(where: { $0.name == name }) { return exact }
    let last = dictionaries.filter { $0.name.hasSuffix("/" + name) }
    guard last.count == 1 else { throw AtlasError.dictionary(name: name, known: dictionaries.map(\.name)) }
    return last[0]
  }
}
