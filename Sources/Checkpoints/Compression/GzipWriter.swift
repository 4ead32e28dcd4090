import CZlib

/// Packs bytes into a gzip file (RFC 1952) by zlib.
package enum GzipWriter {
  /// - Parameter matching: whether strings that come again are looked for; the numbers of weights have none, so that
  ///   entropy coding alone will do.
  /// - Throws: `CheckpointError.outOfMemory`, naming `file`.
  package static func pack(
    _ bytes: UnsafeRawBufferPointer, file: String, matching: Bool = false
  ) throws -> [UInt8] {
    var stream = z_stream()
    func outOfMemory() -> CheckpointError { .outOfMemory(file: file, tensor: "gzip", bytes: bytes.count) }
    guard gs_deflate_init(&stream, matching ? 1 : 0) == Z_OK else { throw outOfMemory() }
    defer { deflateEnd(&stream) }
    var packed: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 1 << 18)
    var offset = 0
    var status = Z_OK
    // zlib counts in 32 bits.
    while status == Z_OK {
      let count = min(bytes.count - offset, 1 << 30)
      let isLast = offset + count == bytes.count
      stream.next_in = UnsafeMutablePointer(
        mutating: bytes.baseAddress?.advanced(by: offset).assumingMemoryBound(to: UInt8.self))
      stream.avail_in = UInt32(count)
      repeat {
        status = piece.withUnsafeMutableBufferPointer { piece in
          stream.next_out = piece.baseAddress
          stream.avail_out = UInt32(piece.count)
          return deflate(&stream, isLast ? Z_FINISH : Z_NO_FLUSH)
        }
        packed.append(contentsOf: piece[..<(piece.count - Int(stream.avail_out))])
      } while status == Z_OK && stream.avail_out == 0
      offset += count
    }
    guard status == Z_STREAM_END else { throw outOfMemory() }
    return packed
  }
}
