import Checkpoints
import Foundation
import Tensors

/// The unpacked bytes of a corpus file, in pieces.
final class ByteStream {
  private let storage: HostStorage
  private let gzip: GzipReader?
  /// Bytes handed out so far.
  private(set) var offset = 0
  private static let pieceSize = 1 << 17

  /// - Throws: `ActivationError.unreadable` for a file that cannot be opened or is no gzip though its name says so.
  init(_ file: Corpus.File) throws {
    let path = file.url.path
    do {
      storage = try .mapped(file.url)
    } catch CheckpointError.unreadable(_, let reason) {
      throw ActivationError.unreadable(path: path, reason: reason)
    }
    let isGzip = storage.bytes.starts(with: GzipReader.magic)
    if file.name.lowercased().hasSuffix(".gz"), !isGzip, storage.byteCount > 0 {
      throw ActivationError.unreadable(path: path, reason: "is no gzip file, though its name says so")
    }
    do {
      gzip = isGzip ? try GzipReader(storage: storage, path: path) : nil
    } catch CheckpointError.malformed(_, let reason) {
      throw ActivationError.unreadable(path: path, reason: reason)
    }
  }

  /// Appends the next bytes to `buffer`; false at the end.
  func read(into buffer: inout [UInt8]) throws -> Bool {
    let old = buffer.count
    if let gzip {
      let isMore = try gzip.next { buffer.append(contentsOf: $0) }
      offset += buffer.count - old
      return isMore
    }
    let end = min(offset + Self.pieceSize, storage.byteCount)
    guard offset < end else { return false }
    buffer.append(contentsOf: storage.bytes[offset..<end])
    offset = end
    return true
  }

  /// Goes on at byte `target`, ahead of what was read; false when the file has fewer.
  func skip(to target: Int) throws -> Bool {
    guard gzip != nil else {
      guard target <= storage.byteCount else { return false }
      offset = target
      return true
    }
    return try skipUnpacked(to: target)
  }

  /// Bytes unpacked past the target by `skip`.
  private(set) var leftover: [UInt8] = []

  private func skipUnpacked(to target: Int) throws -> Bool {
    while offset < target {
      var piece: [UInt8] = []
      guard try read(into: &piece) else { return false }
      if offset > target { leftover = Array(piece.suffix(offset - target)) }
    }
    return true
  }
}
