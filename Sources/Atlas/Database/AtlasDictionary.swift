import Checkpoints
import GRDB
public import Sites

/// A dictionary that an atlas covers.
public struct AtlasDictionary: Equatable, Sendable {
  /// How it is called in the atlas.
  public let name: String
  /// Where it was opened from.
  public let path: String?
  /// `sae`, `transcoder`, `crosscoder` or `clt`.
  public let kind: String
  /// Sites it reads and writes.
  public let reads, writes: [Site]
  /// Features of one read.
  public let width: Int
  /// SHA-256 of its weights.
  public let sha256: String
  /// Mean active features a token over the atlas's tokens, all reads together; nil until the atlas is whole.
  public let l0: Double?
  /// The L0 on its card, where it has one.
  public let cardL0: Double?
  /// Its nested parts; nil where it has none, or nothing is known of them.
  public let prefixes: [Int]?
  let id: Int
  let firstFeature: Int

  /// Features of all reads.
  public var features: Int { width * reads.count }

  init(_ row: Row) throws {
    id = row["id"]
    name = row["name"]
    path = row["path"]
    kind = row["kind"]
    reads = try Self.sites(row["reads"])
    writes = try Self.sites(row["writes"])
    width = row["width"]
    sha256 = row["weights_sha256"]
    l0 = row["l0"]
    firstFeature = row["first_feature"]
    let features: Int = row["features"]
    // More than any file holds, and few enough that sums and products of them stay numbers.
    guard 1...1 << 32 ~= width, 0...1 << 40 ~= firstFeature, !reads.isEmpty, reads.count <= 1 << 10,
      features == width * reads.count
    else {
      throw AtlasError.file(path: "dictionary '\(name)'", reason: "\(features) features of \(reads.count) × \(width)")
    }
    func tree(_ text: String?) -> JSONTree? { text.flatMap { try? JSONTree(Array($0.utf8)) } }
    if case .object(let card)? = tree(row["card"]), case .number(let l0)? = card["l0"] {
      cardL0 = l0
    } else {
      cardL0 = nil
    }
    if case .array(let list)? = tree(row["prefixes"]) { prefixes = list.compactMap(\.integer) } else { prefixes = nil }
  }

  /// Whether the database has its features, each under the number that is its place.
  /// - Throws: `AtlasError.file`.
  func checkFeatures(_ db: Database, path: String) throws {
    let row = try Row.fetchOne(
      db, sql: "SELECT count(*), min(id), max(id) FROM feature WHERE dictionary_id = ?", arguments: [id])
    let found: (count: Int, first: Int?, last: Int?) = (row?[0] ?? 0, row?[1], row?[2])
    guard found.count == features, found.first == firstFeature, found.last == firstFeature + features - 1 else {
      throw AtlasError.file(
        path: path,
        reason: "'\(name)' has \(found.count) features numbered \(found.first ?? 0) to \(found.last ?? 0), expected "
          + "\(features) from \(firstFeature) on")
    }
  }

  private static func sites(_ text: String) throws -> [Site] {
    guard case .array(let list)? = try? JSONTree(Array(text.utf8)) else {
      throw AtlasError.file(path: "dictionary", reason: "sites '\(text.clipped)' are no list")
    }
    return try list.map { item in
      guard case .string(let name) = item else {
        throw AtlasError.file(path: "dictionary", reason: "sites '\(text.clipped)' are no names")
      }
      return try Site(name)
    }
  }

  /// What feature `feature` (`read · width + index`) is called.
  func key(_ feature: Int) -> FeatureKey {
    FeatureKey(
      dictionary: name, layer: reads.count > 1 ? reads[feature / width].layer : nil, index: feature % width)
  }

  /// The number in the database of a feature.
  /// - Throws: `AtlasError.feature`, `.layer`.
  func feature(_ key: FeatureKey) throws -> Int {
    // Without a layer the number is one over all of them.
    let limit = key.layer == nil ? features : width
    let read = key.layer.map { layer in reads.firstIndex { $0.layer == layer } } ?? 0
    guard let read else { throw AtlasError.layer(key: key, known: reads.map(\.layer)) }
    guard 0..<limit ~= key.index else { throw AtlasError.feature(key: key, limit: limit) }
    return firstFeature + read * width + key.index
  }
}
