import Checkpoints
public import Foundation
import GRDB
import Tensors

extension Atlas {
  /// Writes the examples of a dictionary as Gemma Scope 2's `examples.safetensors`: every firing of every window that
  /// the atlas holds, at most `PublishedExamples.mostEntries` a feature, with the sequences they are in.
  /// - Throws: `AtlasError.dictionary`, `.option` for a dictionary of several layers, which have no such file;
  ///   `CheckpointError` for a disk that cannot be written, and what `check` throws.
  public func writeExamples(of name: String, to url: URL, check: () throws -> Void = {}) throws {
    let dictionary = try dictionary(name)
    guard dictionary.reads.count == 1 else {
      throw AtlasError.option(
        name: "dictionary", reason: "'\(dictionary.name)' reads several layers; examples.safetensors is for one")
    }
    let context = Int(try meta("context") ?? "") ?? 0
    let ids = try read { db in
      try Int.fetchAll(
        db,
        sql: "SELECT DISTINCT sequence_id FROM example WHERE feature_id BETWEEN ? AND ? ORDER BY sequence_id",
        arguments: [dictionary.firstFeature, dictionary.firstFeature + dictionary.features - 1])
    }
    guard context > 0, !ids.isEmpty else {
      throw AtlasError.file(path: self.url.path, reason: "holds no examples of '\(dictionary.name)'")
    }
    let (features, entries) = (dictionary.features, PublishedExamples.mostEntries)
    let writer = try SafetensorsWriter(
      url,
      layout: [
        .init("tokens", shape: [ids.count, context], dtype: .i32),
        .init("activations", shape: [features, entries], dtype: .f32),
        .init("seq_ids", shape: [features, entries], dtype: .i64),
        .init("positions", shape: [features, entries], dtype: .i32),
        .init("logit_effects", shape: [features, entries], dtype: .f32),
        .init("feature_frequencies", shape: [features], dtype: .f64),
        .init("top_tokens", shape: [features, 10], dtype: .i32),
        .init("top_logits", shape: [features, 10], dtype: .f32),
        .init("bottom_tokens", shape: [features, 10], dtype: .i32),
        .init("bottom_logits", shape: [features, 10], dtype: .f32),
      ])
    func write(_ data: Data, _ name: String, row: Int) throws {
      try data.withUnsafeBytes { try writer.write($0, to: name, at: row * data.count) }
    }
    try read { db in
      for (row, id) in ids.enumerated() {
        try check()
        let blob = try Data.fetchOne(db, sql: "SELECT tokens FROM sequence WHERE id = ?", arguments: [id]) ?? Data()
        let tokens = try Blob.integers(blob, Int32.self, "sequence.tokens")
        // What is missing of a shorter sequence is <pad>.
        try write(
          Blob.of(tokens.prefix(context) + [Int32](repeating: 0, count: max(0, context - tokens.count))), "tokens",
          row: row)
      }
      var rows: [Int: Int] = [:]
      for (row, id) in ids.enumerated() { rows[id] = row }
      for feature in 0..<features {
        try check()
        let id = dictionary.firstFeature + feature
        let list = try self.entries(of: id, rows: rows, db)
        func padded<Number: FixedWidthInteger>(_ numbers: [Number]) -> Data {
          Blob.of(numbers + [Number](repeating: 0, count: entries - numbers.count))
        }
        try write(padded(list.map(\.activation.bitPattern)), "activations", row: feature)
        try write(padded(list.map { Int64($0.sequence) }), "seq_ids", row: feature)
        try write(padded(list.map { Int32($0.position) }), "positions", row: feature)
        try write(padded(list.map(\.effect.bitPattern)), "logit_effects", row: feature)
        let rate = try Double.fetchOne(db, sql: "SELECT rate FROM feature WHERE id = ?", arguments: [id]) ?? 0
        try write(Blob.of([rate.bitPattern]), "feature_frequencies", row: feature)
        let table = try Row.fetchOne(db, sql: "SELECT * FROM logits WHERE feature_id = ?", arguments: [id])
        for (name, column) in zip(
          PublishedExamples.tables, ["top_tokens", "top_values", "bottom_tokens", "bottom_values"])
        {
          let stored = (table?[column] as Data?) ?? Data()
          try write((stored + Data(count: max(0, 40 - stored.count))).prefix(40), name, row: feature)
        }
      }
    }
    try writer.finish()
  }

  /// All firings in the windows of a feature's examples, each once, in the file's order.
  private func entries(of id: Int, rows: [Int: Int], _ db: Database) throws -> [PublishedExamples.Entry] {
    var found: [[Int]: PublishedExamples.Entry] = [:]
    let examples = try Row.fetchAll(
      db, sql: "SELECT sequence_id, start, active FROM example WHERE feature_id = ?", arguments: [id])
    for example in examples {
      let (sequence, start): (Int, Int) = (example["sequence_id"], example["start"])
      guard let row = rows[sequence] else { continue }
      guard 0...1 << 20 ~= start else {
        throw AtlasError.file(path: url.path, reason: "an example's window begins at \(start)")
      }
      for token in try ActiveBlob.decode(example["active"]) {
        let position = start + token.offset
        found[[row, position]] = PublishedExamples.Entry(
          activation: token.activation, sequence: row, position: position, effect: token.effect ?? 0)
      }
    }
    let sorted = found.values.sorted {
      ($1.activation, $0.sequence, $0.position) < ($0.activation, $1.sequence, $1.position)
    }
    return Array(sorted.prefix(PublishedExamples.mostEntries))
  }
}

extension PublishedExamples {
  /// Entries of a feature in the files of Gemma Scope 2.
  public static let mostEntries = 1000
}
