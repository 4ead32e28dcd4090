import Checkpoints
import Foundation
import GRDB

extension Atlas {
  /// SHA-256 of everything that was built: the times at which it was made, the text index and explanations, which come
  /// later, are left out. Equal for two builds of the same thing, whatever happened on the way.
  /// - Throws: `AtlasError.file`, and what `check` throws.
  public func digest(check: () throws -> Void = {}) throws -> String {
    try read { db in
      var hash = SHA256()
      // Tables that somebody added are nobody's build.
      let tables = try Schema.expected().keys.filter { name in
        !["explanation", "score"].contains(name) && !["sqlite", "search", "grdb"].contains { name.hasPrefix($0) }
      }
      for table in tables.sorted() {
        hash.add("table \(table)\n".utf8)
        let columns = try db.columns(in: table).count
        let order = (1...max(columns, 1)).map(String.init).joined(separator: ", ")
        let filter = table == "meta" ? " WHERE key NOT IN ('created', 'completed')" : ""
        let rows = try Row.fetchCursor(db, sql: "SELECT * FROM \(table)\(filter) ORDER BY \(order)")
        while let row = try rows.next() {
          try check()
          var bytes: [UInt8] = []
          for (_, value) in row { Self.append(value, to: &bytes) }
          hash.add(bytes)
        }
      }
      return hash.hex
    }
  }

  private static func append(_ value: DatabaseValue, to bytes: inout [UInt8]) {
    func number(_ kind: UInt8, _ bits: UInt64) {
      bytes.append(kind)
      withUnsafeBytes(of: bits.littleEndian) { bytes.append(contentsOf: $0) }
    }
    switch value.storage {
    case .null: bytes.append(0)
    case .int64(let integer): number(1, UInt64(bitPattern: integer))
    case .double(let double): number(2, double.bitPattern)
    case .string(let text):
      number(3, UInt64(text.utf8.count))
      bytes += text.utf8
    case .blob(let data):
      number(4, UInt64(data.count))
      bytes += data
    }
  }
}
