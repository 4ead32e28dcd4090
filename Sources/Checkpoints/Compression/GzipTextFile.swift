import CZlib
package import Foundation

/// A gzip file (RFC 1952) of text that is written piece by piece in fixed memory. It appears whole or not at all; equal
/// text gives equal files.
package final class GzipTextFile {
  private let file: AtomicFile
  // zlib keeps a pointer to the stream, which therefore must not move.
  private let stream: UnsafeMutablePointer<z_stream>
  private var piece = [UInt8](repeating: 0, count: 1 << 16)
  private var offset = 0

  /// - Parameter level: from 1, fast, to 9, small.
  /// - Throws: `CheckpointError.unwritable`, `.outOfMemory`.
  package init(_ url: URL, level: Int32 = 5) throws {
    file = try AtomicFile(url)
    stream = .allocate(capacity: 1)
    stream.initialize(to: z_stream())
    guard gs_deflate_init_text(stream, level) == Z_OK else { throw outOfMemory }
  }

  deinit {
    deflateEnd(stream)
    stream.deallocate()
  }

  private var outOfMemory: CheckpointError { .outOfMemory(file: file.url.path, tensor: "gzip", bytes: 1 << 18) }

  /// Adds `text`.
  /// - Throws: `CheckpointError.unwritable`, `.outOfMemory`.
  package func write(_ text: String) throws {
    var text = text
    try text.withUTF8 { bytes in
      // zlib counts in 32 bits.
      for start in stride(from: 0, to: bytes.count, by: 1 << 30) {
        try pack(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(bytes)[start...].prefix(1 << 30)), Z_NO_FLUSH)
      }
    }
  }

  /// Ends the file and puts it in place; nothing may be written afterwards.
  /// - Throws: `CheckpointError.unwritable`, `.outOfMemory`.
  package func finish() throws {
    try pack(UnsafeRawBufferPointer(start: nil, count: 0), Z_FINISH)
    try file.commit()
  }

  private func pack(_ bytes: UnsafeRawBufferPointer, _ flush: Int32) throws {
    stream.pointee.next_in = UnsafeMutablePointer(mutating: bytes.baseAddress?.assumingMemoryBound(to: UInt8.self))
    stream.pointee.avail_in = UInt32(bytes.count)
    var status = Z_OK
    repeat {
      let count = piece.withUnsafeMutableBufferPointer { piece in
        stream.pointee.next_out = piece.baseAddress
        stream.pointee.avail_out = UInt32(piece.count)
        status = deflate(stream, flush)
        return piece.count - Int(stream.pointee.avail_out)
      }
      // Z_BUF_ERROR says that there was nothing left to do.
      guard status == Z_OK || status == Z_STREAM_END || status == Z_BUF_ERROR else { throw outOfMemory }
      try piece.withUnsafeBytes { try file.write(UnsafeRawBufferPointer(rebasing: $0[..<count]), at: offset) }
      offset += count
    } while stream.pointee.avail_out == 0 || (flush == Z_FINISH && status == Z_OK)
  }
}
