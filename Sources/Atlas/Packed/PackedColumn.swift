/// What a packed atlas consists of: like numbers lie together, where they pack best. The raw value is the column's
/// number in the file, so none may change its own.
enum PackedColumn: UInt8, CaseIterable {
  /// JSON: meta, dictionaries, strings.
  case about = 0
  /// Of every feature: sequences it fires in; of those that fire: mean, sketch with its length.
  case sequences = 1
  case mean, sketchLength, sketch
  /// Where the sketch is packed with fewer buckets: quantiles, and where intervals begin and what they hold.
  case quantiles, intervalStart, intervalFirings
  /// Of those that fire: how many raised and lowered tokens, and which.
  case raisedCount, raised, loweredCount, lowered
  /// How many examples: top ones, then of each interval.
  case exampleCount
  /// Of every example: its sequence, position and activation, and how its window differs from the usual one.
  case exampleSequence, examplePosition, exampleActivation, windowStart, windowLength
  /// The other tokens of its window that are on: how many, where, how strongly.
  case activeCount, activeOffset, activeStrength
  /// Of attention features: what the norm after attention divided by, and the sources.
  case attentionScale, sourceScale, sourceValue, outsideCount, outsidePosition
  /// Co-active features.
  case coactiveCount, coactive, coactiveTokens, coactiveValue
  /// Sequences: number, length, tokens, what the final norm divided by.
  case sequenceNumber, sequenceLength, token, scale
  /// The vocabulary's tokens that occur, most frequent first.
  case vocabulary
  /// Windows of the pool: how many, where, and of each feature in which it is on.
  case poolCount, poolSequence, poolStart, poolBits
  /// Labels and their scores.
  case labelCount, labelFeature, labelKind, labelLength, labelText, labelRaised
  case scoreCount, scoreKind, scoreCounts, scoreAccuracy, accuracies
}

/// Appends numbers to columns.
struct ColumnWriter {
  /// Bytes by column and plane.
  private(set) var bytes = [[UInt8]](repeating: [], count: PackedColumn.allCases.count * Self.planes)
  /// The first number that its column cannot hold; what was written is worth nothing then.
  private(set) var fault: (column: PackedColumn, number: Int)?
  static let planes = 8

  static func place(_ column: PackedColumn, _ plane: Int) -> Int { Int(column.rawValue) * planes + plane }

  /// A whole number from 0 on: seven bits a byte, low ones first.
  mutating func put(_ number: Int, _ column: PackedColumn) {
    let place = Self.place(column, 0)
    if number < 0 { fault = fault ?? (column, number) }
    var rest = UInt64(max(number, 0))
    while rest >= 0x80 {
      bytes[place].append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes[place].append(UInt8(rest))
  }

  /// A whole number of either sign, small ones in one byte.
  mutating func put(signed number: Int, _ column: PackedColumn) {
    put(number >= 0 ? number &* 2 : number &* -2 &- 1, column)
  }

  /// A whole number from 0 on that `width` bytes hold.
  mutating func put(_ number: Int, width: Int, _ column: PackedColumn) {
    if number < 0 || number >> (8 * width) > 0 { fault = fault ?? (column, number) }
    put(UInt64(max(number, 0)), width: width, column)
  }

  /// The low `width` bytes of a number, each in a plane of its own.
  mutating func put(_ number: UInt64, width: Int, _ column: PackedColumn) {
    for plane in 0..<width {
      bytes[Self.place(column, plane)].append(UInt8(truncatingIfNeeded: number >> UInt64(8 * plane)))
    }
  }

  mutating func put(bytes new: some Sequence<UInt8>, _ column: PackedColumn) {
    bytes[Self.place(column, 0)].append(contentsOf: new)
  }
}

/// Reads what a `ColumnWriter` wrote, in the same order; past a column's end it refuses.
package struct ColumnReader {
  /// What is wrong with a packed atlas.
  package struct Fault: Error {
    package let reason: String
  }

  private let bytes: [[UInt8]]
  private var offsets: [Int]

  init(_ bytes: [[UInt8]]) {
    self.bytes = bytes
    offsets = [Int](repeating: 0, count: bytes.count)
  }

  /// A whole number within `range`.
  mutating func get(_ column: PackedColumn, in range: Range<Int>) throws -> Int {
    let place = ColumnWriter.place(column, 0)
    var (number, shift) = (UInt64(0), UInt64(0))
    while offsets[place] < bytes[place].count, shift < 63 {
      let byte = bytes[place][offsets[place]]
      offsets[place] += 1
      number |= UInt64(byte & 0x7F) << shift
      shift += 7
      guard byte & 0x80 == 0 else { continue }
      return try Self.check(number, column, range)
    }
    throw Fault(reason: "column '\(column)' ends early")
  }

  mutating func getSigned(_ column: PackedColumn, in range: Range<Int>) throws -> Int {
    let number = try get(column, in: 0..<Int(Int32.max))
    let signed = number % 2 == 0 ? number / 2 : -(number + 1) / 2
    guard range.contains(signed) else { throw Self.outside(column, signed, range) }
    return signed
  }

  /// A number of `width` planes within `range`.
  mutating func get(_ column: PackedColumn, width: Int, in range: Range<Int>) throws -> Int {
    try Self.check(try bits(column, width: width), column, range)
  }

  mutating func bits(_ column: PackedColumn, width: Int) throws -> UInt64 {
    var number = UInt64(0)
    for plane in 0..<width {
      number |= UInt64(try next(ColumnWriter.place(column, plane), column)) << UInt64(8 * plane)
    }
    return number
  }

  mutating func get(bytes count: Int, _ column: PackedColumn) throws -> ArraySlice<UInt8> {
    let place = ColumnWriter.place(column, 0)
    guard count >= 0, count <= bytes[place].count - offsets[place] else {
      throw Fault(reason: "column '\(column)' ends early")
    }
    defer { offsets[place] += count }
    return bytes[place][offsets[place]..<offsets[place] + count]
  }

  /// All of a column of bytes.
  mutating func all(_ column: PackedColumn) -> [UInt8] {
    let place = ColumnWriter.place(column, 0)
    offsets[place] = bytes[place].count
    return bytes[place]
  }

  /// Bytes not read yet.
  func remaining(_ column: PackedColumn) -> Int {
    let place = ColumnWriter.place(column, 0)
    return bytes[place].count - offsets[place]
  }

  /// - Throws: `Fault` when something was not read.
  func end() throws {
    for column in PackedColumn.allCases {
      for plane in 0..<ColumnWriter.planes {
        let place = ColumnWriter.place(column, plane)
        guard offsets[place] == bytes[place].count else { throw Fault(reason: "column '\(column)' is too long") }
      }
    }
  }

  private mutating func next(_ place: Int, _ column: PackedColumn) throws -> UInt8 {
    guard offsets[place] < bytes[place].count else { throw Fault(reason: "column '\(column)' ends early") }
    defer { offsets[place] += 1 }
    return bytes[place][offsets[place]]
  }

  private static func check(_ number: UInt64, _ column: PackedColumn, _ range: Range<Int>) throws -> Int {
    guard let number = Int(exactly: number), range.contains(number) else {
      throw Fault(reason: "column '\(column)' has \(number), expected \(range.lowerBound)..<\(range.upperBound)")
    }
    return number
  }

  private static func outside(_ column: PackedColumn, _ number: Int, _ range: Range<Int>) -> Fault {
    Fault(reason: "column '\(column)' has \(number), expected \(range.lowerBound)..<\(range.upperBound)")
  }
}
