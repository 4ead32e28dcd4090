import Checkpoints
import Evaluation
import Foundation
import Sites
import TestSupport
import Tensors
import Testing

/// What SAEBench 0.6.0 and scikit-learn 1.9.1 find (Tools/make_probing_fixtures.py).
@Suite struct ProbingFixtureTests {
  private struct Fixture {
    let file: SafetensorsFile

    init() throws { file = try SafetensorsFile(Fixtures.url("evaluation/probing.safetensors")) }

    func doubles(_ name: String) throws -> [Double] { try file.tensor(name).read().map(Double.init) }
    func integers(_ name: String) throws -> [Int] { try file.tensor(name).readIntegers() }

    func rows(_ name: String) throws -> ProbeRows {
      let tensor = try file.tensor(name)
      return try ProbeRows(doubles(name), count: tensor.rows, columns: tensor.rowLength)
    }

    /// A dense code with its zeros left out.
    func code(_ name: String) throws -> SparseCode {
      let tensor = try file.tensor(name)
      let (values, width) = (try tensor.read(), tensor.rowLength)
      let active = (0..<tensor.rows).map { row in (0..<width).filter { values[row * width + $0] != 0 } }
      return try SparseCode(
        rowOffsets: active.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.count) },
        features: active.joined().map(Int32.init),
        activations: active.enumerated().flatMap { row, features in features.map { values[row * width + $0] } })
    }

    /// Rows of weights and, last, an intercept.
    func probes(_ name: String) throws -> [LinearProbe] {
      let tensor = try file.tensor(name)
      let (values, length) = (try doubles(name), tensor.rowLength)
      return (0..<tensor.rows).map { row in
        let one = Array(values[row * length..<(row + 1) * length])
        return LinearProbe(weights: Array(one.dropLast()), intercept: one[length - 1])
      }
    }

    func parts(_ name: String) throws -> ConceptParts {
      let decoder = try file.tensor("decoder")
      let values = try decoder.read()
      return try ConceptParts(
        code(name),
        decoder: (0..<decoder.rows).map { Array(values[$0 * decoder.rowLength..<($0 + 1) * decoder.rowLength]) })
    }
  }

  @Test func selectionAndProbes() throws {
    let fixture = try Fixture()
    let (code, all) = (try fixture.code("probe.x"), try fixture.rows("probe.x"))
    let labels = try fixture.integers("probe.labels").map { $0 == 1 }
    let (train, test) = (Array(0..<70), Array(70..<110))
    func rows(_ rows: [Int], _ columns: [Int]) throws -> ProbeRows {
      try ProbeRows(
        rows.flatMap { row in columns.map { all.values[row * 40 + $0] } }, count: rows.count, columns: columns.count)
    }
    let published = FeatureSelection.asPublished.scores(code, features: 40, rows: train, labels: Array(labels[..<70]))
    let accuracies = try fixture.doubles("probe.accuracies")
    for (place, k) in [1, 2, 5, 40].enumerated() {
      let columns = try fixture.integers("probe.columns.\(k)")
      if k < 40 { #expect(FeatureSelection.top(published, k).sorted() == columns) }
      let probe = try LogisticRegression().fit(rows(train, columns), labels: Array(labels[..<70]))
      let scores = try probe.scores(rows(test, columns))
      for (a, b) in zip(scores, try fixture.doubles("probe.scores.\(k)")) { #expect(abs(a - b) < 1e-5, "k \(k)") }
      // scikit-learn's weights are those of standardised columns.
      let expected = try fixture.doubles("probe.coefficients.\(k)")
      for (i, weight) in probe.weights.enumerated() {
        let values = train.map { all.values[$0 * 40 + columns[i]] }
        let mean = values.reduce(0, +) / 70
        let deviation = (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 70).squareRoot()
        #expect(abs(weight * deviation - expected[i]) < 1e-5, "k \(k) column \(columns[i])")
      }
      let found = try Scores(scores, labels: Array(labels[70...]), texts: test)
      #expect(abs((found.accuracy.value ?? .nan) - accuracies[place]) < 1e-6, "k \(k)")
      #expect(abs((found.auc.value ?? .nan) - (try fixture.doubles("probe.auc.\(k)")[0])) < 1e-6, "k \(k)")
    }
    let free = FeatureSelection.scaleFree.scores(code, features: 40, rows: train, labels: Array(labels[..<70]))
    for (a, b) in zip(free, try fixture.doubles("probe.scale_free")) { #expect(abs(a - b) < 1e-5) }
  }

  @Test func spuriousCorrelation() throws {
    let fixture = try Fixture()
    func quadrants(_ count: Int, from start: Int) -> [[Int]] {
      (0..<4).map { q in (0..<count).map { start + q * count + $0 } }
    }
    // Effects are told on all ten texts of a quadrant; those of the confounded are not asked for.
    let train = quadrants(10, from: 0)
    let draw = try ConceptDraw(
      train: [train[0] + train[0], train[1], train[2], train[3] + train[3]], test: quadrants(20, from: 40))
    let run = try SpuriousCorrelationRun(
      draw, probes: fixture.probes("scr.probes"), fixture.rows("scr.x"), parts: fixture.parts("scr.f"),
      counts: [1, 2, 5])
    let ablated = try fixture.doubles("scr.ablated")
    let (clean, mixed) = (try fixture.doubles("scr.clean"), try fixture.doubles("scr.confounded"))
    var options = SpuriousCorrelation()
    options.counts = [1, 2, 5]
    let result = SpuriousCorrelationResult(
      set: "", dictionary: "", site: Site(.residPost, layer: 0), options: options,
      concepts: (Concept("a", positive: "+", negative: "-"), Concept("b", positive: "+", negative: "-")),
      trainTexts: 10, testTexts: 20, runs: [run])
    let scores = try fixture.doubles("scr.scores")
    var compared = 0
    for (way, direction) in run.directions.enumerated() {
      #expect(abs((direction.clean.value ?? .nan) - clean[way]) < 1e-6)
      #expect(abs((direction.confounded.value ?? .nan) - mixed[way]) < 1e-6)
      for n in 0..<3 {
        #expect(abs((direction.features.accuracies[n].value ?? .nan) - ablated[way * 3 + n]) < 1e-6, "\(way) \(n)")
        if let score = result.directions[way].features[n].score.value {
          #expect(abs(score - scores[way * 3 + n]) < 1e-5)
          compared += 1
        }
      }
    }
    #expect(compared >= 3)
    #expect(result.reported == (mixed[0] <= mixed[1] ? 0 : 1))
  }

  @Test func targetedPerturbation() throws {
    let fixture = try Fixture()
    let (train, test) = (try fixture.integers("tpp.train"), try fixture.integers("tpp.test"))
    func split(_ rows: [Int], _ place: Int) -> ProbeTask.Split {
      let count = rows.count / 3
      let own = Array(rows[place * count..<(place + 1) * count])
      return ProbeTask.Split(positives: Array(own.prefix(count / 2)), negatives: Array(own.suffix(count / 2)))
    }
    let tasks = (0..<3).map { ProbeTask(train: split(train, $0), test: split(test, $0)) }
    let run = try TargetedPerturbationRun(
      tasks, probes: fixture.probes("tpp.probes"), fixture.rows("tpp.x"), parts: fixture.parts("tpp.f"),
      counts: [1, 2, 5])
    func close(_ a: Double?, _ b: Double) -> Bool { abs((a ?? .nan) - b) < 1e-6 }
    let (clean, ablated) = (try fixture.doubles("tpp.clean"), try fixture.doubles("tpp.ablated"))
    for i in 0..<3 {
      #expect(close(run.clean[i].value, clean[i]))
      for n in 0..<3 {
        for j in 0..<3 { #expect(close(run.features[i][n][j].value, ablated[(i * 3 + n) * 3 + j]), "\(i) \(n) \(j)") }
      }
    }
    var options = TargetedPerturbation()
    options.counts = [1, 2, 5]
    let result = TargetedPerturbationResult(
      set: "", label: "", dictionary: "", site: Site(.residPost, layer: 0), options: options,
      classes: ["one", "two", "three"], runs: [run])
    let (scores, intended) = (try fixture.doubles("tpp.scores"), try fixture.doubles("tpp.intended"))
    for n in 0..<3 {
      #expect(close(result.features[n].mean.score.value, scores[n]))
      for i in 0..<3 { #expect(close(result.features[n].classes[i].intended.value, intended[i * 3 + n])) }
    }
  }
}
