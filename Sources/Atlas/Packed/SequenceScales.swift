import Checkpoints
import Foundation
import GRDB

/// What the norms after attention divided by, sequence by sequence.
struct SequenceScales {
  private let db: Database
  /// The layers whose norms `sequence.scales` has behind the final one.
  private let layers: [Int]
  private var last: (id: Int, scales: [Float], length: Int)?

  init(_ db: Database) throws {
    self.db = db
    let meta = try String.fetchOne(db, sql: "SELECT value FROM meta WHERE key = 'scales'")
    var names: [String] = []
    if case .array(let list)? = meta.flatMap({ try? JSONTree(Array($0.utf8)) }) {
      for case .string(let name) in list { names.append(name) }
    }
    layers = names.dropFirst().map { Int($0.split(separator: ".").last ?? "") ?? -1 }
  }

  mutating func scale(of id: Int, at position: Int, layer: Int) throws -> Float {
    if last?.id != id {
      let row = try Row.fetchOne(
        db.cachedStatement(sql: "SELECT scales, length(tokens) / 4 AS count FROM sequence WHERE id = ?"),
        arguments: [id])
      let scales = try Blob.floats((row?["scales"] as Data?) ?? Data(), "sequence.scales")
      last = (id, scales, (row?["count"] as Int?) ?? 0)
    }
    guard let last, let place = layers.firstIndex(of: layer) else {
      throw AtlasError.file(path: "sequence.scales", reason: "lacks the norm after attention of layer \(layer)")
    }
    let index = (1 + place) * last.length + position
    guard position < last.length, index < last.scales.count else {
      throw AtlasError.file(path: "sequence.scales", reason: "is too short in sequence \(id)")
    }
    return last.scales[index]
  }
}
