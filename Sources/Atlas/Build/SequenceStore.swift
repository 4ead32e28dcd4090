import Checkpoints
import Foundation

/// The tokens of every sequence of a build, with the norms' denominators at each: records of one size in a file, so
/// that any is found, and none is held.
final class SequenceStore {
  struct Sequence: Equatable {
    let tokens: [Int32]
    /// For each kind of norm √(mean(x²) + ε) at each token: the final norm, then the norm after attention of the layers
    /// that attention dictionaries read.
    let scales: [[Float]]
  }

  private let url: URL
  private let context: Int
  private let scaleCount: Int
  private let descriptor: Int32

  private var recordSize: Int { 4 * (1 + context * (1 + scaleCount)) }

  /// - Throws: `AtlasError.file`.
  init(_ url: URL, context: Int, scaleCount: Int) throws {
    self.url = url
    self.context = context
    self.scaleCount = scaleCount
    descriptor = open(url.path, O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw AtlasError.file(path: url.path, reason: String(cString: strerror(errno))) }
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// - Throws: `CheckpointError.unwritable`.
  func write(_ sequence: Sequence, at index: Int) throws {
    var words = [UInt32](repeating: 0, count: recordSize / 4)
    words[0] = UInt32(sequence.tokens.count)
    for (i, token) in sequence.tokens.enumerated() { words[1 + i] = UInt32(bitPattern: token) }
    for (kind, scales) in sequence.scales.enumerated() {
      for (i, scale) in scales.enumerated() { words[1 + context * (1 + kind) + i] = scale.bitPattern }
    }
    for i in words.indices { words[i] = words[i].littleEndian }
    try words.withUnsafeBytes {
      try AtomicFile.write($0, at: index * recordSize, to: descriptor, file: url.path)
    }
  }

  /// - Throws: `AtlasError.state` for a sequence that was not written.
  func read(_ index: Int) throws -> Sequence {
    var words = [UInt32](repeating: 0, count: recordSize / 4)
    let count = words.withUnsafeMutableBytes { pread(descriptor, $0.baseAddress, $0.count, off_t(index * recordSize)) }
    for i in words.indices { words[i] = UInt32(littleEndian: words[i]) }
    guard count == recordSize, 1...context ~= Int(words[0]) else {
      throw AtlasError.state(path: url.path, reason: "sequence \(index) is missing; start again with --overwrite")
    }
    let length = Int(words[0])
    return Sequence(
      tokens: words[1..<1 + length].map { Int32(bitPattern: $0) },
      scales: (0..<scaleCount).map { kind in
        let start = 1 + context * (1 + kind)
        return words[start..<start + length].map { Float(bitPattern: $0) }
      })
  }

  /// - Throws: `AtlasError.file`.
  func sync() throws {
    guard fsync(descriptor) == 0 else {
      throw AtlasError.file(path: url.path, reason: String(cString: strerror(errno)))
    }
  }
}
