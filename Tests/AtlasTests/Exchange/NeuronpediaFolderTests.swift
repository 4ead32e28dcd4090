import Atlas
import Checkpoints
import Dictionaries
import Foundation
import GRDB
import TestSupport
import Testing

/// Files, names and refusals of the export to Neuronpedia.
@Suite struct NeuronpediaFolderTests {
  /// An atlas of the 37 features of `residual`, told to have `features`: those behind are never on, but the last two,
  /// which have an example and two labels each.
  private func widened(_ tiny: TinyAtlas, to features: Int) throws -> Atlas {
    let url = tiny.url("atlas.sqlite")
    try tiny.builder(url).build()
    let queue = try DatabaseQueue(path: url.path)
    try queue.write { db in
      try db.execute(sql: "UPDATE dictionary SET width = ?, features = ?", arguments: [features, features])
      for index in 37..<features {
        try db.execute(
          sql: "INSERT INTO feature(id, dictionary_id, read, idx, count, sequences, rate) VALUES (?, 0, 0, ?, 0, 0, 0)",
          arguments: [index, index])
      }
      let live = try Int.fetchOne(db, sql: "SELECT feature_id FROM example WHERE bin = -1 ORDER BY feature_id") ?? 0
      for index in [features - 2, features - 1] {
        try db.execute(
          sql: """
            INSERT INTO example(feature_id, bin, rank, sequence_id, position, activation, start, length, active, split)
            SELECT ?, -1, 0, sequence_id, position, activation, start, length, active, split FROM example
            WHERE feature_id = ? AND bin = -1 AND rank = 0
            """, arguments: [index, live])
      }
      for index in 0..<features {
        for (author, method) in [("judge-1", "examples-1"), ("person", "eye")] {
          try db.execute(
            sql: "INSERT INTO explanation(feature_id, author, method, text, created) VALUES (?, ?, ?, ?, ?)",
            arguments: [index, author, method, "label \(index)", "2026-01-02T03:04:05Z"])
        }
      }
    }
    try queue.close()
    return try Atlas(contentsOf: url)
  }

  @Test func filesHold1024Features() throws {
    let tiny = try TinyAtlas(names: ["residual"])
    let atlas = try widened(tiny, to: 2100)
    let folder = ExportedFolder(url: tiny.url("np"))
    let export = try atlas.writeNeuronpedia(to: folder.url)
    #expect(export.sources.map(\.id) == ["3-gscope-res-2k"] && export.sources[0].features == 2100)
    let path = "tiny/3-gscope-res-2k"
    let features = try folder.table("features", of: path)
    #expect(features.map(\.row).compactMap { $0.text("index") } == (0..<2100).map(String.init))
    #expect(features.map(\.file) == (0..<2100).map { $0 / 1024 })
    // Those of the same features; none of 1024…2047 has one, and an empty file would end the import.
    let activations = try folder.table("activations", of: path)
    #expect(Set(activations.map(\.file)) == [0, 2])
    #expect(activations.allSatisfy { line in Int(line.row.text("index") ?? "").map { $0 / 1024 } == line.file })
    let explanations = try folder.table("explanations", of: path)
    #expect(explanations.map(\.file) == (0..<4200).map { $0 / 1024 })
    #expect(Set(explanations.compactMap { $0.row.text("id") }).count == 4200)
    // A model's label names the model, a person's nothing.
    #expect(explanations[0].row.isNull("typeName") && explanations[0].row.isNull("explanationModelName"))
    #expect(explanations[1].row.text("typeName") == "gscope_examples-1")
    #expect(explanations[1].row.text("explanationModelName") == "judge-1")
    #expect(try folder.rows("config/explanation_model_type.jsonl").map { $0.text("name") } == ["judge-1"])
    #expect(try folder.rows("config/explanation_type.jsonl").map { $0.text("name") } == ["gscope_examples-1"])
  }

  @Test func equalAtlasesGiveEqualFiles() throws {
    let tiny = try TinyAtlas(names: ["residual", "attention"])
    let atlas = try tiny.build()
    let (first, second) = (ExportedFolder(url: tiny.url("a")), ExportedFolder(url: tiny.url("b")))
    try atlas.writeNeuronpedia(to: first.url)
    try atlas.writeNeuronpedia(to: second.url)
    #expect(first.files == second.files && first.files.count > 15)
    for path in first.files { #expect(try first.bytes(path) == second.bytes(path), "\(path)") }
  }

  @Test func vectorsAreDecoderRows() throws {
    let tiny = try TinyAtlas(names: ["residual", "attention", "crosscoder"])
    let atlas = try tiny.build()
    let folder = ExportedFolder(url: tiny.url("np"))
    func own(_ entry: AtlasDictionary) throws -> SparseDictionary {
      try #require(tiny.dictionaries.first { $0.name == entry.name })
    }
    try atlas.writeNeuronpedia(of: ["residual", "attention"], to: folder.url, vectors: own)
    for (dictionary, source, hook) in [
      (tiny.dictionaries[0], "3-gscope-res-37", "blocks.3.hook_resid_post"),
      (tiny.dictionaries[1], "5-gscope-att-53", "blocks.5.attn.hook_z"),
    ] {
      for (index, line) in try folder.table("features", of: "tiny/\(source)").enumerated() {
        let row = try dictionary.decoderRow(feature: index)
        #expect(line.row["hasVector"] == .bool(true) && line.row.floats("vector") == row)
        #expect(line.row.text("hookName") == hook)
        let largest = row.sorted(by: >).prefix(3)
        #expect(line.row.floats("neuron_alignment_values") == Array(largest))
        #expect(line.row.numbers("neuron_alignment_indices").map { row[Int($0)] } == Array(largest))
        let sum = row.reduce(0.0) { $0 + Double(abs($1)) }
        for (share, value) in zip(line.row.numbers("neuron_alignment_l1"), largest) {
          #expect(abs(share - Double(abs(value)) / sum) < 1e-6)
        }
      }
    }
    expectOption("vectors") { _ = try atlas.writeNeuronpedia(to: tiny.url("x"), vectors: own) }
    // Other weights under the same name.
    expectOption("vectors") {
      _ = try atlas.writeNeuronpedia(of: ["residual"], to: tiny.url("x"), vectors: { _ in tiny.dictionaries[1] })
    }
    #expect(!FileManager.default.fileExists(atPath: tiny.url("x").path))
  }

  private func expectOption(
    _ name: String, _ body: () throws -> Void, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(sourceLocation: sourceLocation) {
      try body()
    } throws: { error in
      if case AtlasError.option(name, _) = error { true } else { false }
    }
  }

  @Test func namesAreChecked() throws {
    let tiny = try TinyAtlas(names: ["residual", "transcoder"])
    let atlas = try tiny.build()
    func write(_ name: String, of names: [String]? = nil, _ change: (inout NeuronpediaOptions) -> Void) throws
      -> NeuronpediaExport
    {
      var options = NeuronpediaOptions()
      change(&options)
      return try atlas.writeNeuronpedia(of: names, to: tiny.url(name), options: options)
    }
    for wrong in ["", "Gemma-3", "gemma 3", "../up", String(repeating: "a", count: 129)] {
      expectOption("model-id") { _ = try write("x") { $0.modelID = wrong } }
    }
    for wrong in ["", "a/b", "a__b", "é"] { expectOption("source-set") { _ = try write("x") { $0.sourceSet = wrong } } }
    expectOption("creator-id") { _ = try write("x") { $0.creatorID = "" } }
    expectOption("release") { _ = try write("x") { $0.release = "a b" } }
    expectOption("creator-name") { _ = try write("x") { $0.creatorName = "" } }
    expectOption("source-set") { _ = try write("x", of: ["residual", "residual"]) { _ in } }
    #expect(throws: AtlasError.self) { _ = try write("x", of: ["none"]) { _ in } }
    #expect(!FileManager.default.fileExists(atPath: tiny.url("x").path))
    // Different layers share a set.
    let named = try write("named") {
      $0.modelID = "gemma-3-270m"
      $0.sourceSet = "mine"
    }
    #expect(named.sources.map(\.id) == ["3-mine", "4-mine"] && named.modelID == "gemma-3-270m")
    #expect(named.sources.map(\.features) == [37, 53])
  }

  @Test func dictionariesOfOneSiteAreToldApart() throws {
    let tiny = try TinyAtlas(names: ["residual", "attention"])
    let url = tiny.url("atlas.sqlite")
    try tiny.builder(url).build()
    let queue = try DatabaseQueue(path: url.path)
    // Both read layer 3 now.
    try queue.write { try $0.execute(sql: "UPDATE dictionary SET reads = '[\"resid_post.3\"]'") }
    try queue.close()
    var options = NeuronpediaOptions()
    options.sourceSet = "mine"
    let export = try Atlas(contentsOf: url).writeNeuronpedia(to: tiny.url("np"), options: options)
    #expect(export.sources.map(\.id) == ["3-mine__residual", "3-mine__attention"])
  }

  @Test func nothingIsLeftOfWhatFails() throws {
    struct Stop: Error {}
    let tiny = try TinyAtlas(names: ["residual"])
    let url = tiny.url("atlas.sqlite")
    #expect(throws: Stop.self) {
      try tiny.builder(url).build { if $0.stage == .features { throw Stop() } }
    }
    let unfinished = try Atlas(contentsOf: url, allowPartial: true)
    #expect {
      try unfinished.writeNeuronpedia(to: tiny.url("np"))
    } throws: { error in
      if case AtlasError.unfinished = error { true } else { false }
    }
    let atlas = try tiny.build()
    var checks = 0
    #expect(throws: Stop.self) {
      try atlas.writeNeuronpedia(
        to: tiny.url("np"),
        check: {
          checks += 1
          if checks == 20 { throw Stop() }
        })
    }
    let names = try FileManager.default.contentsOfDirectory(atPath: tiny.directory.url.path)
    #expect(!names.contains { $0 == "np" || $0.hasPrefix(".partial") }, "\(names)")
    // A folder that holds something is left alone.
    try FileManager.default.createDirectory(at: tiny.url("np"), withIntermediateDirectories: true)
    try Data("mine".utf8).write(to: tiny.url("np/file"))
    #expect(throws: CheckpointError.self) { try atlas.writeNeuronpedia(to: tiny.url("np")) }
    #expect(try Data(contentsOf: tiny.url("np/file")) == Data("mine".utf8))
  }
}
