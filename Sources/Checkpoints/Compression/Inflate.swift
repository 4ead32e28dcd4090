import CZlib

/// Unpacks a deflate stream (RFC 1951) or a member of a gzip file (RFC 1952), at once or in pieces, by zlib.
package final class Inflate {
  package enum Format {
    case raw, gzip
  }

  /// What is wrong with a stream.
  package enum Fault: Error, Equatable, CustomStringConvertible {
    case truncated, tooLong, tooShort
    /// In zlib's words.
    case invalid(String)

    package var description: String {
      switch self {
      case .truncated: "it ends early"
      case .tooLong: "it holds more than was announced"
      case .tooShort: "it holds less than was announced"
      case .invalid(let reason): reason
      }
    }
  }

  private let input: UnsafeRawBufferPointer
  private var stream = z_stream()
  /// Bytes of the input that were shown to zlib, whose counts are 32 bits wide.
  private var shown = 0
  private static let mostShown = 1 << 30

  /// Reads `input`, which must outlive the value.
  /// - Throws: `Fault.invalid` when zlib lacks memory.
  package init(_ input: UnsafeRawBufferPointer, _ format: Format) throws(Fault) {
    self.input = input
    guard gs_inflate_init(&stream, format == .gzip ? 1 : 0) == Z_OK else { throw .invalid("out of memory") }
  }

  deinit { inflateEnd(&stream) }

  /// Unpacks a raw stream, which must fill `output` exactly, or with `prefixOnly` at least.
  /// - Throws: `Fault`.
  package static func decode(
    _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer, prefixOnly: Bool = false
  ) throws {
    let inflate = try Inflate(input, .raw)
    let (count, isDone) = try inflate.fill(output)
    guard count == output.count else { throw Fault.tooShort }
    if isDone || prefixOnly { return }
    // The end of the stream may be all that is left.
    var more: [UInt8] = [0]
    let (extra, ended) = try more.withUnsafeMutableBytes { try inflate.fill($0) }
    guard ended, extra == 0 else { throw Fault.tooLong }
  }

  /// Unpacks the next bytes into `buffer`.
  /// - Returns: how many there were, and whether the stream ended; if not, the buffer is full.
  package func fill(_ buffer: UnsafeMutableRawBufferPointer) throws(Fault) -> (count: Int, isDone: Bool) {
    var count = 0
    while count < buffer.count {
      if stream.avail_in == 0 { show() }
      let room = min(buffer.count - count, Self.mostShown)
      stream.next_out = buffer.baseAddress?.advanced(by: count).assumingMemoryBound(to: UInt8.self)
      stream.avail_out = UInt32(room)
      let status = inflate(&stream, Z_NO_FLUSH)
      count += room - Int(stream.avail_out)
      switch status {
      case Z_STREAM_END: return (count, true)
      case Z_OK: continue
      case Z_BUF_ERROR where shown == input.count && stream.avail_in == 0: throw .truncated
      case Z_BUF_ERROR: continue
      default: throw .invalid(stream.msg.map { String(cString: $0) } ?? "zlib says \(status)")
      }
    }
    return (count, false)
  }

  /// Bytes of the input that were taken.
  package var consumed: Int { shown - Int(stream.avail_in) }

  /// Begins with the gzip member that follows the one that ended.
  package func nextMember() { inflateReset(&stream) }

  private func show() {
    let count = min(input.count - shown, Self.mostShown)
    guard count > 0 else { return }
    stream.next_in = UnsafeMutablePointer(
      mutating: input.baseAddress?.advanced(by: shown).assumingMemoryBound(to: UInt8.self))
    stream.avail_in = UInt32(count)
    shown += count
  }
}
