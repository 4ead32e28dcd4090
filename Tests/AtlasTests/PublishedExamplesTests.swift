import Atlas
import Checkpoints
import Dictionaries
import Foundation
import Tensors
import TestSupport
import Testing
import Tokenization

/// Gemma Scope 2's examples.safetensors, written and read.
@Suite struct PublishedExamplesTests {
  let tiny: TinyAtlas
  let atlas: Atlas

  init() throws {
    tiny = try TinyAtlas(names: ["residual", "attention"])
    atlas = try tiny.build()
  }

  private func importer(_ file: URL, _ name: String = "residual") throws -> AtlasImporter {
    let dictionary = try #require(tiny.dictionaries.first { $0.name == name })
    return try AtlasImporter(
      file, dictionary: dictionary, model: tiny.model, AtlasModel(name: "tiny", sha256: "m"), tokenizer: tiny.tokenizer)
  }

  @Test func whatIsWrittenHoldsEveryFiringOfTheWindows() throws {
    let file = tiny.url("examples.safetensors")
    try atlas.writeExamples(of: "residual", to: file)
    let found = try SafetensorsFile(file)
    #expect(
      found.names == [
        "activations", "bottom_logits", "bottom_tokens", "feature_frequencies", "logit_effects", "positions", "seq_ids",
        "tokens", "top_logits", "top_tokens",
      ])
    for (name, dtype, shape) in [
      ("activations", DType.f32, [37, 1000]), ("seq_ids", .i64, [37, 1000]), ("positions", .i32, [37, 1000]),
      ("logit_effects", .f32, [37, 1000]), ("feature_frequencies", .f64, [37]), ("top_tokens", .i32, [37, 10]),
      ("top_logits", .f32, [37, 10]), ("bottom_tokens", .i32, [37, 10]), ("bottom_logits", .f32, [37, 10]),
    ] {
      let info = try found.info(name)
      #expect(info.dtype == dtype && info.shape == shape, "\(name)")
    }
    let read = try PublishedExamples(contentsOf: file)
    #expect(read.context == TinyAtlas.options.context && read.hasLogits && read.features == 37)
    var total = 0
    for feature in 0..<37 {
      let key = FeatureKey(dictionary: "residual", index: feature)
      let stored = try atlas.feature(key)
      #expect(try read.frequencies()[feature] == stored.rate)
      let groups = [ExampleGroup.top] + stored.intervals.indices.map { ExampleGroup.interval($0) }
      let firings = Set(
        try groups.flatMap { try atlas.examples(key, $0) }.flatMap { example in
          example.activations.enumerated().filter { $0.element > 0 }.map { offset, activation in
            [Float(example.sequence), Float(example.start + offset), activation]
          }
        })
      let entries = try read.entries(of: feature)
      #expect(entries.count == firings.count)
      #expect(entries.map(\.activation) == firings.map { $0[2] }.sorted(by: >))
      #expect(entries.first.map { Double($0.activation) } == stored.maximum)
      total += entries.count
    }
    #expect(total > 100)
  }

  @Test func roundTripsKeepRatesExamplesAndTables() throws {
    for name in ["residual", "attention"] {
      let file = tiny.url("\(name).safetensors")
      try atlas.writeExamples(of: name, to: file)
      let copy = tiny.url("\(name).sqlite")
      try importer(file, name).write(to: copy)
      let imported = try Atlas(contentsOf: copy)
      let check = try imported.check()
      #expect(check.faults.isEmpty, "\(check.faults)")
      #expect(try imported.meta("import_conventions")?.contains("\"logits\":\"gain\"") == true)
      let width = try #require(tiny.dictionaries.first { $0.name == name }).shape.width
      for feature in 0..<width {
        let key = FeatureKey(dictionary: name, index: feature)
        let (a, b) = (try atlas.feature(key), try imported.feature(key))
        #expect(a.rate == b.rate && a.maximum == b.maximum && b.count == nil && b.mean == nil)
        #expect(a.logits?.top.map(\.token) == b.logits?.top.map(\.token))
        #expect(a.logits?.bottom.map(\.value) == b.logits?.bottom.map(\.value))
        // What stands at the top of the one stands at the top of the other; sequences are numbered anew.
        let (best, copied) = (try atlas.examples(key, .top), try imported.examples(key, .top))
        #expect(copied.count >= best.count)
        for (one, other) in zip(best, copied) {
          #expect(one.activation == other.activation && one.position == other.position && other.isPartial)
          #expect(one.effect ?? 0 == other.effect ?? 0)
          let own = one.position - one.start
          #expect(one.tokens[own] == other.tokens[other.position - other.start])
        }
      }
    }
  }

  /// A file of a few features made by hand, each part of which can be made wrong.
  private func write(
    _ name: String, features: Int = 37, sequence: Int64 = 1, position: Int32 = 3, effects: Bool = true,
    frequency: Double = 0.25, tables: [Int32]? = nil
  ) throws -> URL {
    let (rows, entries) = (features * 4, 4)
    // Two positions of one sequence, the smaller first; every other feature is dead.
    let activations = (0..<rows).map {
      $0 / entries % 2 == 1 || $0 % entries > 2 ? Float(0) : [1.5, 4, 2][$0 % entries]
    }
    var tensors: [String: Tensor] = [
      "tokens": try Tensor(
        integers: [Int32](repeating: 0, count: 16).enumerated().map { Int32(10 + $0.offset) }, shape: [2, 8]),
      "activations": try Tensor(activations, shape: [features, entries]),
      "seq_ids": try Tensor(
        integers: (0..<rows).map { [Int64(0), 0, sequence, 0][$0 % entries] }, shape: [features, entries]),
      "positions": try Tensor(
        integers: (0..<rows).map { [Int32(1), 2, position, 0][$0 % entries] }, shape: [features, entries]),
      "feature_frequencies": try Tensor(
        [Float](repeating: Float(frequency), count: features), shape: [features]),
    ]
    if effects { tensors["logit_effects"] = try Tensor(activations.map { $0 / 2 }, shape: [features, entries]) }
    if let tables {
      for part in ["top", "bottom"] {
        let ids = (0..<features).flatMap { _ in tables }
        tensors["\(part)_tokens"] = try Tensor(integers: ids, shape: [features, tables.count])
        tensors["\(part)_logits"] = try Tensor(ids.map(Float.init), shape: [features, tables.count])
      }
    }
    let url = tiny.url(name)
    try SafetensorsWriter.write(tensors, to: url)
    return url
  }

  @Test func rowsOutOfOrderArePutInOrder() throws {
    let read = try PublishedExamples(contentsOf: try write("ordered.safetensors"))
    #expect(try read.entries(of: 0).map(\.activation) == [4, 2, 1.5])
    #expect(try read.entries(of: 0).map(\.position) == [2, 3, 1])
    #expect(try read.entries(of: 1).isEmpty && !read.hasLogits)
    let copy = tiny.url("copy.sqlite")
    try importer(try write("ordered.safetensors")).write(to: copy)
    let atlas = try Atlas(contentsOf: copy)
    let top = try atlas.examples(FeatureKey(dictionary: "residual", index: 0), .top)
    // One of a sequence, with the other firing of its window.
    #expect(top.map(\.activation) == [4, 2])
    #expect(top[0].activations.filter { $0 > 0 } == [1.5, 4])
    #expect(try atlas.feature(FeatureKey(dictionary: "residual", index: 1)).maximum == nil)
    #expect(try atlas.feature(FeatureKey(dictionary: "residual", index: 0)).logits == nil)
  }

  @Test func whatDoesNotFitIsRefused() throws {
    #expect(throws: CheckpointError.self) { try PublishedExamples(contentsOf: try write("a", effects: false)) }
    let outside = try PublishedExamples(contentsOf: try write("b", sequence: 2))
    #expect(throws: AtlasError.self) { try outside.entries(of: 0) }
    let behind = try PublishedExamples(contentsOf: try write("c", position: 8))
    #expect(throws: AtlasError.self) { try behind.entries(of: 0) }
    #expect(throws: AtlasError.self) { try PublishedExamples(contentsOf: try write("d", frequency: 1.5)).frequencies() }
    #expect(throws: AtlasError.self) { try importer(try write("e", features: 36)) }
    // Tables that no arm explains: another model.
    #expect(throws: AtlasError.self) { try importer(try write("f", tables: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])) }
    #expect(throws: AtlasError.self) {
      try atlas.writeExamples(of: "nothing", to: tiny.url("g"))
    }
  }
}
