package import Foundation

/// A gzip file (RFC 1952) of text that is written piece by piece in fixed memory. It appears whole or not at all; equal
/// text gives equal files.
package final class GzipTextFile {
  private let file: AtomicFile
  private let deflater: Deflater
  private var offset = 0

  /// - Parameter level: from 1, fast, to 9, small.
  /// - Throws: `CheckpointError.unwritable`, `.outOfMemory`.
  package init(_ url: URL, level: Int32 = 5) throws {
    file = try AtomicFile(url)
    do {
      deflater = try Deflater(.text(level: level), piece: 1 << 16)
    } catch { throw Self.outOfMemory(url) }
  }

  private static func outOfMemory(_ url: URL) -> CheckpointError {
    .outOfMemory(file: url.path, tensor: "gzip", bytes: 1 << 18)
  }

  /// Adds `text`.
  /// - Throws: `CheckpointError.unwritable`, `.outOfMemory`.
  package func write(_ text: String) throws {
    var text = text
    try text.withUTF8 { try pack(UnsafeRawBufferPointer($0)) }
  }

  /// Ends the file and puts it in place; nothing may be written afterwards.
  /// - Throws: `CheckpointError.unwritable`, `.outOfMemory`.
  package func finish() throws {
    try pack(UnsafeRawBufferPointer(start: nil, count: 0), isLast: true)
    try file.commit()
  }

  private func pack(_ bytes: UnsafeRawBufferPointer, isLast: Bool = false) throws {
    do {
      try deflater.add(bytes, isLast: isLast) { piece in
        try file.write(piece, at: offset)
        offset += piece.count
      }
    } catch is Deflater.Failure { throw Self.outOfMemory(file.url) }
  }
}
