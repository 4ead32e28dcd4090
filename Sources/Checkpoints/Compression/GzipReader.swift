package import Tensors

/// Unpacks a gzip file (RFC 1952; several members one after another are one text) piece by piece in fixed memory.
package final class GzipReader {
  private let storage: HostStorage
  private let path: String
  private let inflate: Inflate
  private var buffer: [UInt8]
  private var isAtEnd = false

  /// The first bytes of every gzip file.
  package static let magic: [UInt8] = [0x1F, 0x8B]

  /// Reads a file whose bytes are in `storage`; `path` names it in errors.
  /// - Throws: `CheckpointError.malformed`.
  package init(storage: HostStorage, path: String, pieceSize: Int = 1 << 17) throws {
    self.storage = storage
    self.path = path
    buffer = [UInt8](repeating: 0, count: max(pieceSize, 1))
    do {
      inflate = try Inflate(UnsafeRawBufferPointer(storage.bytes), .gzip)
    } catch {
      throw Self.malformed(path, error)
    }
    guard storage.bytes.starts(with: Self.magic) else { throw Self.malformed(path, .invalid("no gzip header")) }
  }

  private static func malformed(_ path: String, _ fault: Inflate.Fault) -> CheckpointError {
    .malformed(file: path, reason: "broken gzip: \(fault)")
  }

  /// Hands the next unpacked bytes to `body`, at most a piece; whether there were any.
  /// - Throws: `CheckpointError.malformed`, also when a member's checksum differs.
  package func next(_ body: (UnsafeRawBufferPointer) throws -> Void) throws -> Bool {
    while !isAtEnd {
      let count: Int
      let isDone: Bool
      do {
        (count, isDone) = try withExtendedLifetime(storage) {
          try buffer.withUnsafeMutableBytes { try inflate.fill($0) }
        }
      } catch let error as Inflate.Fault {
        throw Self.malformed(path, error)
      }
      if isDone { openNextMember() }
      if count > 0 {
        try buffer.withUnsafeBytes { try body(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
        return true
      }
    }
    return false
  }

  /// Zero bytes after the last member are padding.
  private func openNextMember() {
    let rest = UnsafeRawBufferPointer(rebasing: storage.bytes[inflate.consumed...])
    if rest.contains(where: { $0 != 0 }) { inflate.nextMember() } else { isAtEnd = true }
  }

  /// The whole text of a gzip file in memory.
  /// - Throws: `CheckpointError.malformed`, also when it is longer than `limit` bytes; `.outOfMemory`.
  package static func unpack(_ storage: HostStorage, path: String, limit: Int = 1 << 32) throws -> HostStorage {
    var bytes: [UInt8] = []
    let reader = try GzipReader(storage: storage, path: path, pieceSize: 1 << 20)
    while try reader.next({ bytes.append(contentsOf: $0) }) {
      guard bytes.count <= limit else {
        throw CheckpointError.malformed(file: path, reason: "unpacks to more than \(limit) bytes")
      }
    }
    return try .copying(bytes)
  }
}
