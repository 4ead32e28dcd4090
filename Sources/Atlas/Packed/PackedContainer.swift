import Checkpoints
import Foundation
import Tensors

/// The file of a packed atlas: "GSATPACK", u32 version, 32 bytes SHA-256 of all that follows, u32 number of parts; of
/// each part u16 place (8 · column + plane), u64 bytes, u64 packed bytes; then the parts, gzip members, one behind the
/// other. Numbers are little-endian.
package enum PackedContainer {
  package static let magic = Array("GSATPACK".utf8)
  static let version: UInt32 = 1
  private static let headSize = 44
  /// More than any atlas unpacks to that is worth packing.
  private static let mostBytes = 1 << 29

  /// A column's plane as it stands in the file.
  struct Part {
    let place: Int
    let count: Int
    let packed: [UInt8]
  }

  /// - Throws: `CheckpointError.outOfMemory`.
  package static func pack(_ columns: [[UInt8]], file: String) throws -> [UInt8] {
    join(try parts(of: columns, file: file))
  }

  /// What is in the columns, packed.
  static func parts(of columns: [[UInt8]], file: String) throws -> [Part] {
    try columns.enumerated().filter { !$0.element.isEmpty }.map { place, bytes in
      Part(
        place: place, count: bytes.count,
        packed: try bytes.withUnsafeBytes { try GzipWriter.pack($0, file: file, matching: true) })
    }
  }

  /// The file of some parts.
  static func join(_ parts: [Part]) -> [UInt8] {
    var body = StateWriter()
    body.put(UInt32(parts.count))
    for part in parts {
      body.put(UInt16(part.place))
      body.put(UInt64(part.count))
      body.put(UInt64(part.packed.count))
    }
    return seal(body.bytes + parts.flatMap(\.packed))
  }

  /// Puts the head before everything else.
  package static func seal(_ rest: [UInt8]) -> [UInt8] {
    var head = StateWriter()
    head.put(version)
    var hash = SHA256()
    hash.add(rest)
    return magic + head.bytes + digest(hash.hex) + rest
  }

  private static func digest(_ hex: String) -> [UInt8] {
    let digits = hex.compactMap(\.hexDigitValue)
    return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
  }

  /// The columns of a file that has nothing.
  package static var noColumns: [[UInt8]] {
    Array(repeating: [], count: PackedColumn.allCases.count * ColumnWriter.planes)
  }

  /// The columns of a file.
  /// - Throws: `ColumnReader.Fault`.
  package static func unpack(_ bytes: [UInt8], path: String) throws -> [[UInt8]] {
    typealias Fault = ColumnReader.Fault
    guard bytes.count >= magic.count, bytes.starts(with: magic) else {
      throw Fault(reason: "is no packed atlas: it does not begin with GSATPACK")
    }
    guard bytes.count > headSize else { throw Fault(reason: "is cut short") }
    var reader = StateReader(Array(bytes[magic.count..<headSize]))
    do {
      let found: UInt32 = try reader.get()
      guard found == version else {
        throw Fault(reason: "is a packed atlas of version \(found); this program reads version \(version)")
      }
      let rest = Array(bytes[headSize...])
      var hash = SHA256()
      hash.add(rest)
      guard digest(hash.hex) == Array(bytes[headSize - 32..<headSize]) else {
        throw Fault(reason: "is damaged or cut short: its SHA-256 is not the one it tells")
      }
      return try parts(rest, path: path)
    } catch is StateReader.Failure {
      throw Fault(reason: "its list of parts ends early")
    }
  }

  private static func parts(_ rest: [UInt8], path: String) throws -> [[UInt8]] {
    typealias Fault = ColumnReader.Fault
    var columns = noColumns
    var reader = StateReader(rest)
    let count = Int(try reader.get(UInt32.self))
    guard count <= columns.count else { throw Fault(reason: "has \(count) parts") }
    var entries: [(place: Int, size: Int, packed: Int)] = []
    for _ in 0..<count {
      let (place, size, packed): (UInt16, UInt64, UInt64) = (try reader.get(), try reader.get(), try reader.get())
      guard Int(place) < columns.count, size > 0, size <= UInt64(mostBytes), packed <= UInt64(rest.count) else {
        throw Fault(reason: "part \(place) of \(size) bytes, packed \(packed), cannot be")
      }
      entries.append((Int(place), Int(size), Int(packed)))
    }
    guard entries.reduce(0, { $0 + $1.size }) <= mostBytes else { throw Fault(reason: "unpacks to too much") }
    var offset = 4 + 18 * count
    for entry in entries {
      guard entry.packed <= rest.count - offset else { throw Fault(reason: "part \(entry.place) ends behind the file") }
      guard columns[entry.place].isEmpty else { throw Fault(reason: "has part \(entry.place) twice") }
      let part = Array(rest[offset..<offset + entry.packed])
      offset += entry.packed
      do {
        let unpacked = try GzipReader.unpack(.copying(part), path: path, limit: entry.size)
        columns[entry.place] = Array(unpacked.bytes)
      } catch {
        throw Fault(reason: "part \(entry.place) cannot be unpacked: \(error)")
      }
      guard columns[entry.place].count == entry.size else {
        throw Fault(reason: "part \(entry.place) has \(columns[entry.place].count) bytes, not \(entry.size)")
      }
    }
    guard offset == rest.count else { throw Fault(reason: "has \(rest.count - offset) bytes behind its parts") }
    return columns
  }
}
