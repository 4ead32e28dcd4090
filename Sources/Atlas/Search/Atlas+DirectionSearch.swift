import Foundation
import GRDB
public import Sites

/// Which vectors of features a direction is compared with.
public enum DirectionSide: Hashable, Sendable {
  /// What features add to the residual stream (docs/atlas.md, r_f); the direction is one of the stream.
  case written
  /// The encoder columns of dictionaries that read this site; the direction is one of the site.
  case read(Site)
}

extension Atlas {
  /// Features of largest cosine with a direction. The atlas holds theirs as int8, so a cosine is off by up to about
  /// 0.005.
  /// - Parameters:
  ///   - direction: as many numbers as `side` is wide.
  ///   - side: what it is compared with.
  ///   - names: looks in these dictionaries alone.
  ///   - filter: features that may be found.
  ///   - limit: results at most.
  /// - Throws: `AtlasError.option` for a direction of another width, without length or not finite, or when nothing
  ///   is there to compare with; `.dictionary`, `.file`, which is also thrown while the atlas is being built and has
  ///   no directions yet.
  public func search(
    direction: [Float], _ side: DirectionSide = .written, in names: [String]? = nil,
    filter: SearchFilter = SearchFilter(), limit: Int = 20
  ) throws -> [SearchResult] {
    try Self.checkLimit(limit)
    let query = try QuantisedDirection(direction)
    try filter.validate()
    let chosen = try dictionaries(names)
    return try read { db in
      var hits: [Hit] = []
      for dictionary in chosen {
        let (kind, features) = Self.rows(dictionary, side)
        // What reads other sites has rows of other widths.
        if features.isEmpty { continue }
        let blocks = try Row.fetchCursor(
          db, sql: "SELECT first, count, data FROM direction WHERE dictionary_id = ? AND kind = ? ORDER BY first",
          arguments: [dictionary.id, kind])
        var isThere = false
        while let block = try blocks.next() {
          isThere = true
          let (first, count): (Int, Int) = (block["first"], block["count"])
          guard 0..<dictionary.features ~= first, 0...dictionary.features - first ~= count else {
            throw AtlasError.file(
              path: url.path, reason: "directions of '\(dictionary.name)': \(count) from \(first) on")
          }
          for (offset, cosine) in try query.cosines(block["data"], rows: count).enumerated()
          where features.contains(first + offset) {
            hits.append(Hit(id: dictionary.firstFeature + first + offset, score: cosine))
          }
        }
        // A build writes them one dictionary at a time: some alone would look like all.
        if !isThere, case .building = state { throw missing("directions") }
      }
      guard !hits.isEmpty else {
        let what = if case .read(let site) = side { "dictionary that reads \(site)" } else { "directions" }
        throw AtlasError.option(name: "direction", reason: "the atlas has no \(what) to compare with")
      }
      hits.sort { a, b in (b.score ?? -1, a.id) < (a.score ?? -1, b.id) }
      return try results(hits, filter, limit: limit, db)
    }
  }

  /// `direction.kind`, and the features (`read · width + index`) that count.
  private static func rows(_ dictionary: AtlasDictionary, _ side: DirectionSide) -> (kind: Int, features: Range<Int>) {
    switch side {
    case .written: return (0, 0..<dictionary.features)
    case .read(let site):
      guard let read = dictionary.reads.firstIndex(of: site) else { return (1, 0..<0) }
      return (1, read * dictionary.width..<(read + 1) * dictionary.width)
    }
  }
}

/// A direction in whole numbers, so large that sums of products with int8 just fit 32 bits: these are exact, in any
/// order.
struct QuantisedDirection {
  private let numbers: [Int16]
  private let length: Double

  /// - Throws: `AtlasError.option`.
  init(_ direction: [Float]) throws {
    let largest = direction.reduce(0) { max($0, abs($1)) }
    guard direction.allSatisfy(\.isFinite), largest > 0 else {
      throw AtlasError.option(name: "direction", reason: "has no length, or numbers that are not finite")
    }
    let most = Double(min(Int(Int16.max), max(1, Int(Int32.max) / (128 * direction.count))))
    numbers = direction.map { Int16((Double($0) / Double(largest) * most).rounded()) }
    length = numbers.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
  }

  /// The cosine with each row of int8; 0 for rows of zeros.
  /// - Throws: `AtlasError.option` where rows are of another width, or none.
  func cosines(_ data: Data, rows: Int) throws -> [Double] {
    let width = numbers.count
    guard rows > 0, data.count.isMultiple(of: width), data.count / width == rows else {
      throw AtlasError.option(
        name: "direction", reason: "has \(width) numbers, those of the atlas have \(data.count / max(rows, 1))")
    }
    return data.withUnsafeBytes { (bytes: UnsafeRawBufferPointer) -> [Double] in
      numbers.withUnsafeBufferPointer { (numbers: UnsafeBufferPointer<Int16>) -> [Double] in
        (0..<rows).map { row -> Double in
          var (product, squares) = (Int32(0), Int32(0))
          for i in 0..<width {
            let number = Int32(Int8(bitPattern: bytes[row * width + i]))
            product &+= number &* Int32(numbers[i])
            squares &+= number &* number
          }
          return squares > 0 ? Double(product) / (length * Double(squares).squareRoot()) : 0
        }
      }
    }
  }
}
