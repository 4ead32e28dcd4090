public import Foundation
import Tensors

/// The SHA-256 by which files of weights are told from others: what `sha256sum` prints for a model of one file.
public enum WeightHash {
  private static let step = 16 << 20

  /// The hash of the bytes of `files`, one file after another, as 64 lower-case hexadecimal digits. The files are read
  /// once, a part at a time.
  /// - Parameter advance: is told of the bytes read since it was last called; what it throws ends the reading.
  /// - Throws: `CheckpointError.unreadable`.
  public static func sha256(of files: [URL], advance: (Int) throws -> Void = { _ in }) throws -> String {
    var hash = SHA256()
    for url in files {
      let file: MappedFile
      do {
        file = try MappedFile(url)
      } catch TensorError.file(let path, let reason) {
        throw CheckpointError.unreadable(file: path, reason: reason)
      }
      try withExtendedLifetime(file) {
        for start in stride(from: 0, to: file.bytes.count, by: step) {
          let range = start..<min(start + step, file.bytes.count)
          hash.add(UnsafeRawBufferPointer(rebasing: file.bytes[range]))
          file.release(range)
          try advance(range.count)
        }
      }
    }
    return hash.hex
  }
}
