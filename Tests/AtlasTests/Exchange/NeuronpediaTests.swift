import Atlas
import Checkpoints
import Foundation
import GRDB
import TestSupport
import Testing

/// Neuronpedia's format: rows against the schema made from its field tables, and against the atlas.
@Suite struct NeuronpediaTests {
  let tiny: TinyAtlas
  let atlas: Atlas
  let schema: JSONSchema

  init() throws {
    tiny = try TinyAtlas()
    atlas = try tiny.build()
    schema = try JSONSchema(contentsOf: Fixtures.url("atlas/neuronpedia.schema.json"))
    let keys = try atlas.dictionaries.flatMap { try atlas.features(of: $0.name) }
    try ExplanationRun(explainer: LexicalExplainer(), judge: LexicalJudge())
      .explain(keys, of: atlas, into: ExplanationStore(atlas))
  }

  private func export(
    _ name: String = "np", of names: [String]? = nil, _ change: (inout NeuronpediaOptions) -> Void = { _ in }
  ) throws -> (folder: ExportedFolder, export: NeuronpediaExport) {
    var options = NeuronpediaOptions()
    change(&options)
    let url = tiny.url(name)
    return (ExportedFolder(url: url), try atlas.writeNeuronpedia(of: names, to: url, options: options))
  }

  private static let tables = ["features", "activations", "explanations"]

  @Test func everyLineFitsTheSchema() throws {
    #expect(schema.version == 1)
    let (folder, export) = try export()
    #expect(export.modelID == "tiny")
    // One source a read: three dictionaries of one layer and one of four.
    #expect(
      export.sources.map(\.id) == [
        "3-gscope-res-37", "5-gscope-att-53", "4-gscope-transcoder-53", "1-gscope-crosscoder-37",
        "2-gscope-crosscoder-37", "4-gscope-crosscoder-37", "6-gscope-crosscoder-37",
      ])
    var ids: Set<String> = []
    var lines = 0
    for path in folder.files {
      let parts = path.split(separator: "/")
      let last = try #require(parts.last)
      let isTable = parts.count == 4
      let name = isTable ? String(parts[2]) : String(last.split(separator: ".")[0])
      let rows = try folder.rows(path)
      if isTable {
        #expect(parts[0] == "tiny" && last.wholeMatch(of: /batch-\d+\.jsonl\.gz/) != nil && !rows.isEmpty, "\(path)")
      }
      for row in rows {
        let faults = try schema.faults(.object(row), as: name)
        #expect(faults.isEmpty, "\(path): \(faults)")
        // The import takes the first line's keys for all.
        #expect(row.keys.sorted() == rows[0].keys.sorted(), "\(path)")
        if isTable, name != "features" {
          let isNew = try ids.insert(#require(row.text("id"))).inserted
          #expect(isNew, "\(path)")
        }
        lines += 1
      }
    }
    #expect(lines > 2000 && ids.count > 1000, "\(lines) lines, \(ids.count) ids")
    for name in ["explanation_type", "explanation_model_type", "explanation_score_type", "explanation_score_model"] {
      #expect(folder.files.contains("config/\(name).jsonl"))
    }
    #expect(folder.files.contains("config/eval_type.jsonl"))
  }

  @Test func whatRowsReferToIsThere() throws {
    let (folder, export) = try export()
    let types = Set(try folder.rows("config/explanation_type.jsonl").compactMap { $0.text("name") })
    let models = Set(try folder.rows("config/explanation_model_type.jsonl").compactMap { $0.text("name") })
    #expect(types == ["gscope_rules"] && models.isEmpty)
    for source in export.sources {
      let path = "tiny/\(source.id)"
      let description = try ["release", "model", "sourceset", "source"].map { try folder.rows("\(path)/\($0).jsonl") }
      #expect(description.allSatisfy { $0.count == 1 })
      let (release, model, set, own) = (description[0][0], description[1][0], description[2][0], description[3][0])
      #expect(model.text("id") == "tiny" && set.text("modelId") == "tiny" && own.text("modelId") == "tiny")
      #expect(set.text("releaseName") == release.text("name") && own.text("setName") == set.text("name"))
      #expect(own.text("id") == source.id)
      let rows = try Self.tables.map { try folder.table($0, of: path).map(\.row) }
      let known = Set(rows[0].compactMap { $0.text("index") })
      #expect(known.count == rows[0].count && rows[0].count == source.features)
      #expect(rows[1].count == source.activations && rows[2].count == source.explanations)
      for row in rows.joined() {
        #expect(row.text("modelId") == "tiny" && row.text("layer") == source.id)
        let index = try #require(row.text("index"))
        #expect(known.contains(index))
        #expect((row.text("creatorId") ?? row.text("authorId")) == "clkht01d40000jv08hvalcvly")
      }
      #expect(rows[0].allSatisfy { $0.text("sourceSetName") == set.text("name") })
      for row in rows[2] {
        #expect(row.isNull("typeName") || types.contains(row.text("typeName") ?? ""))
        #expect(row.isNull("explanationModelName") || models.contains(row.text("explanationModelName") ?? ""))
      }
    }
  }

  @Test func rowsSayWhatTheAtlasSays() throws {
    let (folder, export) = try export()
    var (examples, live, sourced, labels) = (0, 0, 0, 0)
    for source in export.sources {
      let dictionary = try atlas.dictionary(source.dictionary)
      let layer = dictionary.reads.count > 1 ? Int(source.id.prefix { $0 != "-" }) : nil
      let path = "tiny/\(source.id)"
      let activations = Dictionary(grouping: try folder.table("activations", of: path).map(\.row)) { $0.text("index") }
      let explanations = Dictionary(grouping: try folder.table("explanations", of: path).map(\.row)) {
        $0.text("index")
      }
      for (index, row) in try folder.table("features", of: path).map(\.row).enumerated() {
        #expect(row.text("index") == "\(index)")
        let key = FeatureKey(dictionary: source.dictionary, layer: layer, index: index)
        let feature = try atlas.feature(key)
        try expectFeature(row, feature)
        var expected = try atlas.examples(key, .top).map { (bin: -1, example: $0) }
        for bin in feature.intervals.indices {
          expected += try atlas.examples(key, .interval(bin)).map { (bin: bin, example: $0) }
        }
        let found = activations["\(index)"] ?? []
        #expect(found.count == expected.count)
        for (row, (bin, example)) in zip(found, expected) { try expectExample(row, bin, example, feature) }
        examples += found.count
        live += feature.rate > 0 ? 1 : 0
        sourced += expected.count { $0.example.sources != nil }
        let own = explanations["\(index)"] ?? []
        #expect(own.compactMap { $0.text("description") } == feature.explanations.map(\.text))
        for (row, label) in zip(own, feature.explanations) {
          let best = label.scores.filter { $0.test == .detection }.compactMap(\.balancedAccuracy).max()
          #expect(row.float("scoreV1") == Float(best ?? 0) && row.text("createdAt") == label.created)
          #expect(row.isNull("notes") == label.scores.isEmpty)
        }
        labels += own.count
      }
    }
    #expect(examples > 1000 && live > 100 && sourced > 50 && labels > 200, "\(examples) \(live) \(sourced) \(labels)")
  }

  private func expectFeature(_ row: [String: JSONTree], _ feature: AtlasFeature) throws {
    #expect(row.number("frac_nonzero") == feature.rate)
    #expect(row.float("maxActApprox") == Float(feature.maximum ?? 0))
    #expect(row.isNull("vectorDefaultSteerStrength") == (feature.maximum == nil))
    #expect(row["hasVector"] == .bool(false) && row.floats("vector").isEmpty)
    let (top, bottom) = (feature.logits?.top ?? [], feature.logits?.bottom ?? [])
    #expect(row.texts("pos_str") == top.map(\.token.piece) && row.floats("pos_values") == top.map(\.value))
    #expect(row.texts("neg_str") == bottom.map(\.token.piece) && row.floats("neg_values") == bottom.map(\.value))
    #expect(row.floats("neg_values") == row.floats("neg_values").sorted())
    let nearest = feature.nearest.filter { $0.key.layer == feature.key.layer }
    #expect(row.numbers("topkCosSimIndices") == nearest.map { Double($0.key.index) })
    #expect(row.floats("topkCosSimValues") == nearest.map { Float($0.value) })
    let heights = row.numbers("freq_hist_data_bar_heights")
    let count = try Double(#require(feature.count))
    #expect(heights.count == row.numbers("freq_hist_data_bar_values").count)
    #expect(heights.isEmpty == (feature.rate == 0) && abs(heights.reduce(0, +) - count) <= 1e-4 * count)
    #expect(row.numbers("logits_hist_data_bar_heights") == (feature.logits?.counts ?? []).map(Double.init))
    #expect(row.numbers("logits_hist_data_bar_values").count == feature.logits?.counts.count ?? 0)
  }

  private func expectExample(
    _ row: [String: JSONTree], _ bin: Int, _ example: AtlasExample, _ feature: AtlasFeature
  ) throws {
    #expect(row.texts("tokens") == example.tokens.map(\.piece) && row.floats("values") == example.activations)
    #expect(row.texts("tokens").count == row.numbers("values").count && !example.tokens.isEmpty)
    #expect(row.float("maxValue") == example.activations.max() && row.float("minValue") == example.activations.min())
    let largest = try #require(row.integer("maxValueTokenIndex"))
    #expect(example.activations.firstIndex(of: example.activations.max() ?? 0) == largest)
    let own = try #require(row.integer("qualifyingTokenIndex"))
    #expect(own == example.position - example.start && row.floats("values")[own] == Float(example.activation))
    #expect(row.text("dataIndex") == "\(example.sequence)" && row.text("dataSource") == "texts.jsonl")
    if bin < 0 {
      #expect(row.number("binMin") == -1 && row.number("binContains") == -1)
      #expect(row.float("binMax") == feature.maximum.map { Float($0) })
    } else {
      let interval = feature.intervals[bin]
      #expect(row.float("binMin") == Float(interval.lower) && row.float("binMax") == Float(interval.upper))
      #expect(row.number("binContains") == Double(interval.count) / Double(TinyAtlas.options.tokens))
      // Else it would be shown in another interval.
      #expect(largest == own)
    }
    #expect(row.floats("dfaValues") == example.sources?.window ?? [])
    #expect(row.integer("dfaTargetIndex") == (example.sources == nil ? nil : own))
    #expect(row.float("dfaMaxValue") == example.sources?.window.max())
  }

  /// Correlations and histograms against every activation.
  @Test func statisticsAreThoseOfTheDenseTable() throws {
    let reference = try DenseReference(tiny)
    let folder = try export(of: ["residual"]).folder
    let values = reference.values[0]
    func mean(_ numbers: [Double]) -> Double { numbers.reduce(0, +) / Double(numbers.count) }
    var pairs = 0
    for (index, row) in try folder.table("features", of: "tiny/3-gscope-res-37").map(\.row).enumerated() {
      let mine = values[index].map { $0 > 0 ? 1.0 : 0 }
      for ((other, pearson), cosine) in zip(
        zip(row.numbers("correlated_features_indices"), row.numbers("correlated_features_pearson")),
        row.numbers("correlated_features_l1"))
      {
        let others = values[Int(other)].map { $0 > 0 ? 1.0 : 0 }
        let (a, b) = (mean(mine), mean(others))
        let covariance = mean(zip(mine, others).map { ($0 - a) * ($1 - b) })
        let variances = (mean(mine.map { ($0 - a) * ($0 - a) }), mean(others.map { ($0 - b) * ($0 - b) }))
        #expect(abs(pearson - covariance / (variances.0 * variances.1).squareRoot()) < 1e-5)
        let both = mean(zip(mine, others).map { $0 * $1 })
        #expect(abs(cosine - both / (a * b).squareRoot()) < 1e-5)
        pairs += 1
      }
      let own = values[index].filter { $0 > 0 }.map(Double.init)
      let centres = row.numbers("freq_hist_data_bar_values")
      let heights = row.numbers("freq_hist_data_bar_heights")
      guard centres.count == 50 else { continue }
      var sum = 0.0
      for bar in 0..<49 {
        sum += heights[bar]
        let edge = (centres[bar] + centres[bar + 1]) / 2
        // A bucket is a thirty-second of an octave wide at most, so what lies beyond one is on its side for certain.
        let certain = own.count { $0 < edge * (1 - 1 / 31.0) }
        let possible = own.count { $0 < edge * (1 + 1 / 31.0) }
        #expect(sum >= Double(certain) - 0.01 && sum <= Double(possible) + 0.01, "feature \(index), bar \(bar)")
      }
    }
    #expect(pairs > 20, "\(pairs) pairs")
  }
}
