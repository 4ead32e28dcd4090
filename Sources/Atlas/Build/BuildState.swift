import Activations
import Checkpoints
import Dictionaries
import Foundation

/// Everything a build has counted so far.
struct BuildState {
  /// Where the next batch begins.
  var cursor = SequenceCursor()
  var tallies: [DictionaryTally]
  var pool: WindowPool

  private static let magic: [UInt8] = Array("GSATLAS1".utf8)

  init(_ dictionaries: [SparseDictionary], options: AtlasOptions) {
    tallies = dictionaries.map {
      DictionaryTally(name: $0.name, width: $0.shape.width, reads: $0.shape.reads.count)
    }
    pool = WindowPool(capacity: options.poolWindows, length: options.window, seed: options.seed)
  }

  var bytes: [UInt8] {
    var writer = StateWriter()
    writer.put(Self.magic)
    for number in [
      cursor.sequence, cursor.counted, cursor.piece.file, cursor.piece.byte, cursor.piece.line, cursor.piece.document,
      cursor.piece.isContinuation ? 1 : 0, cursor.token,
    ] { writer.put(Int64(number)) }
    for tally in tallies { writer.put(tally) }
    writer.put(pool)
    return writer.bytes
  }

  /// Reads `bytes` of a build of the same dictionaries and options.
  /// - Throws: `StateReader.Failure`.
  init(_ bytes: [UInt8], dictionaries: [SparseDictionary], options: AtlasOptions) throws {
    var reader = StateReader(bytes)
    guard try reader.numbers(UInt8.self) == Self.magic else { throw StateReader.Failure() }
    let numbers = try (0..<8).map { _ in Int(try reader.get(Int64.self)) }
    cursor = SequenceCursor(
      sequence: numbers[0], counted: numbers[1],
      piece: CorpusCursor(
        file: numbers[2], byte: numbers[3], line: numbers[4], document: numbers[5], isContinuation: numbers[6] == 1),
      token: numbers[7])
    tallies = try dictionaries.map {
      try reader.dictionaryTally(name: $0.name, width: $0.shape.width, reads: $0.shape.reads.count)
    }
    let empty = WindowPool(capacity: options.poolWindows, length: options.window, seed: options.seed)
    pool = try reader.pool(empty, dictionaries: dictionaries.map(\.shape.totalWidth))
    guard reader.isAtEnd else { throw StateReader.Failure() }
  }
}
