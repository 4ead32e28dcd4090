package import Tensors

/// Unpacks a gzip file (RFC 1952; several members one after another are one text) piece by piece in fixed memory.
package final class GzipReader {
  private let storage: HostStorage
  private let path: String
  private var inflate: Inflate
  /// The last `Inflate.window` bytes unpacked, and behind them the next piece.
  private var buffer: [UInt8]
  private var bufferEnd = 0
  /// Where the current member's compressed data begin.
  private var memberStart = 0
  private var checksum = CRC32()
  private var memberCount = 0
  /// The member to open next.
  private var nextMember: Int?
  private var isAtEnd = false

  /// The first bytes of every gzip file.
  package static let magic: [UInt8] = [0x1F, 0x8B]

  /// Reads a file whose bytes are in `storage`; `path` names it in errors.
  /// - Throws: `CheckpointError.malformed`.
  package init(storage: HostStorage, path: String, pieceSize: Int = 1 << 17) throws {
    self.storage = storage
    self.path = path
    buffer = [UInt8](repeating: 0, count: Inflate.window + max(pieceSize, 1))
    inflate = Inflate(UnsafeRawBufferPointer(start: nil, count: 0))
    try openMember(at: 0)
  }

  private var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(storage.bytes) }

  private func malformed(_ reason: String) -> CheckpointError {
    .malformed(file: path, reason: "broken gzip: \(reason)")
  }

  /// Hands the next unpacked bytes to `body`, at most a piece and (a member's first) a window; whether there were any.
  /// - Throws: `CheckpointError.malformed`.
  package func next(_ body: (UnsafeRawBufferPointer) throws -> Void) throws -> Bool {
    while !isAtEnd {
      if let start = nextMember { try openMember(at: start) }
      let kept = min(bufferEnd, Inflate.window)
      let (end, isDone) = try unpack(behind: kept)
      bufferEnd = end
      memberCount += end - kept
      buffer.withUnsafeBytes { checksum.add($0.slice(kept..<end)) }
      if isDone { try closeMember() }
      if end > kept {
        try buffer.withUnsafeBytes { try body($0.slice(kept..<end)) }
        return true
      }
    }
    return false
  }

  private func unpack(behind kept: Int) throws -> (end: Int, isDone: Bool) {
    let first = bufferEnd - kept
    return try buffer.withUnsafeMutableBytes { buffer in
      if first > 0 {
        // Regions may overlap, which memmove allows.
        UnsafeMutableRawBufferPointer(rebasing: buffer[..<kept])
          .copyMemory(from: UnsafeRawBufferPointer(rebasing: buffer[first..<first + kept]))
      }
      do {
        return try inflate.fill(buffer, from: kept)
      } catch let fault as Inflate.Fault {
        throw malformed(fault == .truncated ? "it ends early" : "\(fault)")
      }
    }
  }

  /// Reads a member's header (RFC 1952 §2.3).
  private func openMember(at start: Int) throws {
    var reader = ByteReader(bytes, at: start)
    do {
      guard try reader.integer(UInt16.self) == 0x8B1F else { throw malformed("no gzip header at byte \(start)") }
      guard try reader.integer(UInt8.self) == 8 else { throw malformed("unknown compression method") }
      let flags = try reader.integer(UInt8.self)
      guard flags & 0xE0 == 0 else { throw malformed("reserved flags are set") }
      _ = try reader.skip(6)
      if flags & 4 != 0 { _ = try reader.skip(UInt64(reader.integer(UInt16.self))) }
      for flag in [8, 16] as [UInt8] where flags & flag != 0 { while try reader.integer(UInt8.self) != 0 {} }
      if flags & 2 != 0 { _ = try reader.skip(2) }
    } catch is ByteReader.EndOfBytes {
      throw malformed("it ends early")
    }
    memberStart = reader.offset
    nextMember = nil
    memberCount = 0
    checksum = CRC32()
    bufferEnd = 0
    inflate = Inflate(bytes.slice(memberStart..<bytes.count))
  }

  /// Checks a member's checksum and goes to the next; zero bytes after the last are padding.
  private func closeMember() throws {
    var reader = ByteReader(bytes, at: memberStart + inflate.consumed)
    do {
      guard try reader.integer(UInt32.self) == checksum.value else { throw malformed("its checksum differs") }
      guard try reader.integer(UInt32.self) == UInt32(truncatingIfNeeded: memberCount) else {
        throw malformed("its length differs")
      }
    } catch is ByteReader.EndOfBytes {
      throw malformed("it ends early")
    }
    guard reader.remaining > 0, bytes[reader.offset...].contains(where: { $0 != 0 }) else {
      isAtEnd = true
      return
    }
    nextMember = reader.offset
  }
}
