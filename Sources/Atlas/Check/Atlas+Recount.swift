public import Dictionaries
import Foundation
import GRDB
public import Gemma
import Sites
import Tensors

/// A second look at some of an atlas's examples.
public struct AtlasRecount: Equatable, Sendable {
  /// Tokens that went through the model.
  public var tokens = 0
  /// Examples whose activations were made again.
  public var examples = 0
  /// The largest relative difference of an example's activation.
  public var worst = 0.0
  /// Examples that differ by more than `tolerance`, the first few in words.
  public var faults: [String] = []
  /// How many differ.
  public var differing = 0

  /// Other batches than those of the build move activations in their last bits; packing rounds them.
  public static let tolerance = 1e-4, packedTolerance = 1.0 / 512 + 1e-4
}

extension Atlas {
  /// Runs the model again over sequences that the atlas holds, and compares the activations of their examples.
  /// - Parameters:
  ///   - tokens: sequences are taken until they have so many.
  ///   - dictionaries: the atlas's, by their names; those that are not given are passed over.
  /// - Throws: `AtlasError`, and what the model, the dictionaries and `check` throw.
  public func recount(
    tokens: Int, model: GemmaModel, dictionaries opened: [SparseDictionary], check: CancellationCheck = {}
  ) throws -> AtlasRecount {
    var found = AtlasRecount()
    let pairs = dictionaries.compactMap { entry in opened.first { $0.name == entry.name }.map { (entry, $0) } }
    guard !pairs.isEmpty else {
      throw AtlasError.dictionary(name: opened.map(\.name).joined(separator: ", "), known: dictionaries.map(\.name))
    }
    for (entry, dictionary) in pairs {
      guard dictionary.shape.reads == entry.reads, dictionary.shape.width == entry.width else {
        throw AtlasError.file(
          path: dictionary.url.path, reason: "is \(dictionary.shape), the atlas's '\(entry.name)' is another")
      }
    }
    let tolerance = try meta("packed") == nil ? AtlasRecount.tolerance : AtlasRecount.packedTolerance
    for id in try read({ try Int.fetchAll($0, sql: "SELECT id FROM sequence ORDER BY id") }) {
      if found.tokens >= tokens { break }
      try recount(sequence: id, pairs, model, tolerance, check, &found)
    }
    return found
  }

  private func recount(
    sequence id: Int, _ pairs: [(AtlasDictionary, SparseDictionary)], _ model: GemmaModel,
    _ tolerance: Double, _ check: CancellationCheck, _ found: inout AtlasRecount
  ) throws {
    let (blob, rows) = try read { db in
      (
        try Data.fetchOne(db, sql: "SELECT tokens FROM sequence WHERE id = ?", arguments: [id]) ?? Data(),
        try Row.fetchAll(
          db, sql: "SELECT feature_id, position, activation FROM example WHERE sequence_id = ?", arguments: [id])
      )
    }
    let ids = try Blob.integers(blob, Int32.self, "sequence.tokens")
    let sites = Set(pairs.flatMap { $0.1.shape.reads })
    let result = try model.forward([ids], capture: sites, logits: .none, check: check)
    found.tokens += ids.count
    for (entry, dictionary) in pairs {
      let own = rows.filter { entry.firstFeature..<entry.firstFeature + entry.features ~= ($0["feature_id"] as Int) }
      guard !own.isEmpty else { continue }
      let code = try dictionary.encode(dictionary.shape.reads.map(result.at))
      for row in own {
        let feature = (row["feature_id"] as Int) - entry.firstFeature
        let (position, stored): (Int, Double) = (row["position"], row["activation"])
        guard 0..<code.rows ~= position else { continue }
        let made = Double(
          code.layers[feature / entry.width].activation(ofFeature: feature % entry.width, inRow: position))
        let difference = abs(made - stored) / max(abs(stored), .leastNormalMagnitude)
        found.examples += 1
        found.worst = max(found.worst, difference)
        guard difference > tolerance else { continue }
        found.differing += 1
        if found.faults.count < AtlasCheck.mostTold {
          found.faults.append(
            "\(entry.key(feature)) at sequence \(id), position \(position): \(made), the atlas has \(stored)")
        }
      }
    }
  }
}
