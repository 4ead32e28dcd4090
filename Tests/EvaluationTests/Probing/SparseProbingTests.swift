import Dictionaries
import Evaluation
import Foundation
import Sites
import TestSupport
import Tensors
import Testing

/// Texts of some classes whose pooled codes and activations are made up. Feature 3 + 4c is active in most texts of
/// class c and in few others; feature 20 is loud everywhere and says nothing. x̄ is what the decoder makes of the code,
/// and noise.
struct PlantedTexts {
  let texts: LabelledTexts
  let pooled: PooledActivations
  let site: Site

  static func feature(_ place: Int) -> Int { 3 + 4 * place }

  /// - Parameter labels: the classes of each label; every combination has `count` texts.
  init(seed: UInt64, labels: [(name: String, classes: [String])], count: Int, noise: Float = 0.1) throws {
    let dictionary = try TinyTexts().dictionary(TinyTexts.residual)
    var random = SeededRandom(seed: seed)
    var combinations: [[Int]] = [[]]
    for label in labels { combinations = combinations.flatMap { c in label.classes.indices.map { c + [$0] } } }
    var (texts, offsets, features, values, x) = ([LabelledText](), [0], [Int32](), [Float](), [Float]())
    for combination in combinations {
      for i in 0..<count {
        let id = "\(combination) \(i)"
        let own = Dictionary(uniqueKeysWithValues: zip(labels, combination).map { ($0.name, $0.classes[$1]) })
        texts.append(LabelledText(id: id, text: id, labels: own, isTest: i % 3 == 0))
        var code: [Int32: Float] = [20: 50 + 50 * random.float()]
        var first = 0
        for (label, chosen) in zip(labels, combination) {
          for place in label.classes.indices {
            let isOwn = place == chosen
            if random.int(0...99) < (isOwn ? 92 : 6) {
              code[Int32(Self.feature(first + place))] = 2 + random.float()
            }
          }
          first += label.classes.count
        }
        var row = random.floats(dictionary.shape.outputWidth, scale: noise)
        for (feature, value) in code.sorted(by: { $0.key < $1.key }) {
          features.append(feature)
          values.append(value)
          // The loud feature stays out of x̄: no probe could read the rest.
          guard feature != 20 else { continue }
          let direction = try dictionary.decoderRow(feature: Int(feature))
          for i in row.indices { row[i] += value * direction[i] }
        }
        offsets.append(features.count)
        x += row
      }
    }
    site = dictionary.shape.writes[0]
    self.texts = try LabelledTexts(texts, name: "planted")
    let code = try SparseCode(rowOffsets: offsets, features: features, activations: values)
    pooled = try PooledActivations(
      texts: texts.count, activations: [.mean: [site: x]], dictionaries: [dictionary], codes: [.mean: [[code]]])
  }
}

@Suite struct SparseProbingTests {
  @Test func planted() throws {
    let planted = try PlantedTexts(seed: 1, labels: [("topic", ["a", "b", "c"])], count: 90)
    let result = try #require(
      try SparseProbing().measure(planted.texts, label: "topic", planted.pooled).first)
    #expect(result.site == planted.site && result.label == "topic" && result.set == "planted")
    #expect(result.classes.map(\.name) == ["a", "b", "c"] && result.means.map(\.k) == [1, 2, 5])
    for (place, one) in result.classes.enumerated() {
      #expect(one.trainTexts == 120 && one.testTexts == 60)
      #expect(one.features[0].columns == [[Int]](repeating: [PlantedTexts.feature(place)], count: 3))
      #expect((one.features[0].figures.accuracy.value ?? 0) > 0.85)
      #expect((one.dense.auc.value ?? 0) > 0.9)
    }
    let means = result.means[0].features
    let accuracies = result.classes.map { $0.features[0].figures.accuracy.value ?? .nan }
    let accuracy: Double = means.accuracy.value ?? .nan
    #expect(abs(accuracy - accuracies.reduce(0, +) / 3) < 1e-12)
    let seeds: [Double] = means.accuracyBySeed.map { $0 ?? .nan }
    #expect(seeds.count == 3 && abs(accuracy - seeds.reduce(0, +) / 3) < 1e-12)
    #expect((means.accuracy.low ?? 1) < (means.accuracy.value ?? 0))

    // Without the scale the loud feature is taken.
    var options = SparseProbing()
    options.selection = .asPublished
    let published = try #require(try options.measure(planted.texts, label: "topic", planted.pooled).first)
    #expect(published.classes.contains { $0.features[0].columns.contains([20]) })
    #expect((published.means[0].features.accuracy.value ?? 1) < (means.accuracy.value ?? 0))
  }

  /// One class, one seed, written out.
  @Test func followsTheDefinition() throws {
    let planted = try PlantedTexts(seed: 2, labels: [("topic", ["a", "b", "c", "d"])], count: 40, noise: 1)
    var options = SparseProbing()
    (options.seeds, options.ks) = ([5], [2])
    let result = try #require(try options.measure(planted.texts, label: "topic", planted.pooled).first)
    let task = try ProbeTask.oneVersusRest(planted.texts, label: "topic", class: "b", seed: 5)
    let code = try planted.pooled.code(dictionary: 0, .mean)
    func values(_ rows: [Int], _ feature: Int) -> [Double] {
      rows.map { Double(code.activation(ofFeature: feature, inRow: $0)) }
    }
    func mean(_ values: [Double]) -> Double { values.isEmpty ? 0 : values.reduce(0, +) / Double(values.count) }
    let scores = (0..<37).map { feature -> Double in
      let all = values(task.train.rows, feature)
      let sides = [true, false].map { side in mean(zip(all, task.train.labels).filter { $0.1 == side }.map(\.0)) }
      let active = mean(all.filter { $0 != 0 })
      return active == 0 ? 0 : abs(sides[0] - sides[1]) / active
    }
    let best = Array(scores.indices.sorted { (-scores[$0], $0) < (-scores[$1], $1) }.prefix(2))
    #expect(result.classes[1].features[0].columns == [best])
    func rows(_ rows: [Int]) throws -> ProbeRows {
      try ProbeRows(rows.flatMap { row in best.flatMap { values([row], $0) } }, count: rows.count, columns: 2)
    }
    let probe = try LogisticRegression().fit(rows(task.train.rows), labels: task.train.labels)
    let test = try Scores(probe.scores(rows(task.test.rows)), labels: task.test.labels, texts: task.test.rows)
    let found = result.classes[1].features[0].figures
    #expect(found.accuracy == test.accuracy.estimate && found.auc == test.auc.estimate && found.f1 == test.f1.estimate)

    let x = try planted.pooled.rows(task.train.rows, at: planted.site, .mean)
    let order = FeatureSelection.scaleFree.scores(x, labels: task.train.labels)
    #expect(result.classes[1].channels[0].columns == [FeatureSelection.top(order, 2)])
  }

  @Test func drawsAreBalancedAndRepeat() throws {
    let planted = try PlantedTexts(seed: 3, labels: [("topic", ["a", "b", "c", "d"]), ("tone", ["x", "y"])], count: 20)
    for seed in [0, 1] as [UInt64] {
      let task = try ProbeTask.oneVersusRest(planted.texts, label: "topic", class: "c", seed: seed)
      for (split, isTest) in [(task.train, false), (task.test, true)] {
        let positives = planted.texts.rows("topic", "c", isTest: isTest)
        #expect(Set(split.rows.prefix(positives.count)) == Set(positives))
        #expect(split.rows.count == 2 * positives.count && Set(split.rows).count == split.rows.count)
        #expect(split.labels == split.rows.map { planted.texts.texts[$0].labels["topic"] == "c" })
        #expect(split.rows.allSatisfy { planted.texts.texts[$0].isTest == isTest })
        let others = ["a", "b", "d"].map { name in
          split.rows.count { planted.texts.texts[$0].labels["topic"] == name }
        }
        #expect((others.max() ?? 0) - (others.min() ?? 0) <= 2, "\(others)")
      }
    }
    let draws = try [0, 1, 0].map {
      try ProbeTask.oneVersusRest(planted.texts, label: "topic", class: "c", seed: $0).train.rows
    }
    #expect(draws[0] == draws[2] && Set(draws[0]) != Set(draws[1]))
    // Of two classes one is the other's rest.
    let tone = try #require(try SparseProbing().measure(planted.texts, label: "tone", planted.pooled).first)
    #expect(tone.classes.map(\.name) == ["y"])
  }

  @Test func whatCannotBeMeantIsNamed() throws {
    let planted = try PlantedTexts(seed: 3, labels: [("topic", ["a", "b"])], count: 30)
    func refuses(_ label: String = "topic", dictionaries: [Int]? = nil, _ change: (inout SparseProbing) -> Void) {
      var options = SparseProbing()
      change(&options)
      #expect(throws: EvaluationError.self) {
        try options.measure(planted.texts, label: label, planted.pooled, dictionaries: dictionaries)
      }
    }
    refuses { $0.ks = [38] }
    refuses { $0.ks = [0] }
    refuses { $0.seeds = [] }
    refuses { $0.pooling = .last }
    refuses("tone") { _ in }
    refuses(dictionaries: [1]) { _ in }
    let other = try PlantedTexts(seed: 3, labels: [("topic", ["a", "b"])], count: 29)
    #expect(throws: EvaluationError.self) { try SparseProbing().measure(other.texts, label: "topic", planted.pooled) }
  }
}
