import CZlib

/// Packs bytes that come piece by piece into a gzip member (RFC 1952), in fixed memory.
final class Deflater {
  enum Kind {
    /// Entropy coding alone: strings of weights do not come again.
    case numbers
    /// As small as may be, strings that come again looked for.
    case matching
    /// From 1, fast, to 9, small.
    case text(level: Int32)
  }

  /// zlib has no memory for more, or was used wrongly.
  struct Failure: Error {}

  // zlib keeps a pointer to the stream, which therefore must not move.
  private let stream: UnsafeMutablePointer<z_stream>
  private var piece: [UInt8]

  init(_ kind: Kind, piece: Int) throws {
    self.piece = [UInt8](repeating: 0, count: piece)
    stream = .allocate(capacity: 1)
    stream.initialize(to: z_stream())
    let status =
      switch kind {
      case .numbers: gs_deflate_init(stream, 0)
      case .matching: gs_deflate_init(stream, 1)
      case .text(let level): gs_deflate_init_text(stream, level)
      }
    guard status == Z_OK else { throw Failure() }
  }

  deinit {
    deflateEnd(stream)
    stream.deallocate()
  }

  /// Adds `bytes`, the last of all where `isLast`, and hands over what that makes.
  /// - Throws: `Failure`, and what `sink` throws.
  func add(
    _ bytes: UnsafeRawBufferPointer, isLast: Bool = false, to sink: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    var offset = 0
    repeat {
      // zlib counts in 32 bits.
      let count = min(bytes.count - offset, 1 << 30)
      stream.pointee.next_in = UnsafeMutablePointer(
        mutating: bytes.baseAddress?.advanced(by: offset).assumingMemoryBound(to: UInt8.self))
      stream.pointee.avail_in = UInt32(count)
      offset += count
      try run(isLast && offset == bytes.count ? Z_FINISH : Z_NO_FLUSH, sink)
    } while offset < bytes.count
  }

  private func run(_ flush: Int32, _ sink: (UnsafeRawBufferPointer) throws -> Void) throws {
    var status = Z_OK
    repeat {
      let count = piece.withUnsafeMutableBufferPointer { piece in
        stream.pointee.next_out = piece.baseAddress
        stream.pointee.avail_out = UInt32(piece.count)
        status = deflate(stream, flush)
        return piece.count - Int(stream.pointee.avail_out)
      }
      // Z_BUF_ERROR says that there was nothing left to do.
      guard status == Z_OK || status == Z_STREAM_END || status == Z_BUF_ERROR && flush != Z_FINISH else {
        throw Failure()
      }
      try piece.withUnsafeBytes { try sink(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
    } while status != Z_STREAM_END && (stream.pointee.avail_out == 0 || flush == Z_FINISH)
  }
}
