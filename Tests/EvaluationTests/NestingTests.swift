import Dictionaries
import Evaluation
import Foundation
import TestSupport
import Tensors
import Testing

/// Sequences for a dictionary: inputs, what it should write, and its code of them.
struct NestedSequences {
  struct Item {
    let inputs: [Tensor]
    let targets: [Tensor]
    let code: DictionaryCode
    let rows: [Int]
  }

  let dictionary: SparseDictionary
  let items: [Item]

  init(_ dictionary: SparseDictionary, lengths: [Int], seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let shape = dictionary.shape
    self.dictionary = dictionary
    items = try lengths.map { tokens in
      let inputs = try shape.reads.map { _ in
        try Tensor(random.floats(tokens * shape.inputWidth, scale: 2), shape: [tokens, shape.inputWidth])
      }
      let targets =
        shape.reads == shape.writes
        ? inputs
        : try shape.writes.map { _ in
          try Tensor(random.floats(tokens * shape.outputWidth, scale: 2), shape: [tokens, shape.outputWidth])
        }
      return Item(
        inputs: inputs, targets: targets, code: try dictionary.encode(inputs),
        rows: (0..<tokens).filter { $0 > 0 && random.int(0...6) > 0 })
    }
  }

  func measured(_ prefixes: [Int], energies: Bool = true, draws: Int = 3, seed: UInt64 = 0) throws -> Nesting {
    var energy = try FeatureEnergy(dictionary)
    for item in items { try energy.add(item.code, rows: item.rows) }
    var measurement = try NestingMeasurement(
      dictionary, prefixes: prefixes, energies: energies ? energy : nil, draws: draws, seed: seed)
    for item in items {
      try measurement.add(item.code, inputs: item.inputs, targets: item.targets, rows: item.rows)
    }
    return measurement.result
  }

  /// What a dictionary of the same sites, which codes the same inputs itself, reconstructs.
  func reconstructed(by other: SparseDictionary) throws -> (ReconstructionMetrics, FeatureDensity) {
    var (measurement, density) = (ReconstructionMeasurement(other.shape), FeatureDensity(other.shape))
    for item in items {
      let (code, outputs) = try other.reconstruct(item.inputs)
      try measurement.add(code, targets: item.targets, outputs: outputs, rows: item.rows)
      try density.add(code, rows: item.rows)
    }
    return (measurement.metrics, density)
  }
}

@Suite struct NestingTests {
  private let backend: NativeBackend

  init() throws { backend = try NativeBackend(threads: 2) }

  private func close(_ a: Estimate, _ b: Estimate, _ tolerance: Double = 1e-5) -> Bool {
    func near(_ x: Double?, _ y: Double?) -> Bool {
      guard let x, let y else { return x == nil && y == nil }
      return abs(x - y) <= tolerance * max(abs(y), 1)
    }
    return near(a.value, b.value) && near(a.low, b.low) && near(a.high, b.high) && a.groups == b.groups
  }

  /// A prefix does what a dictionary of these features alone does; the last is the dictionary itself.
  @Test(arguments: [
    (DictionaryKind.sae, 1, false), (.transcoder, 1, true), (.crosscoder, 3, false), (.clt, 2, true),
  ])
  func prefixesAreDictionariesCutShort(_ kind: DictionaryKind, _ reads: Int, _ isAffine: Bool) throws {
    let shape = try MadeDictionary.shape(kind, reads: reads, width: 31, inputs: 7, isAffine: isAffine)
    let parameters = try MadeDictionary.random(shape, seed: 11)
    let sequences = try NestedSequences(
      MadeDictionary.open(parameters, backend: backend), lengths: [23, 8, 31], seed: 2)
    let found = try sequences.measured([12, 1, 12, 30])
    #expect(found.prefixes.map(\.features) == [1, 12, 30, 31] && found.sequences == 3)
    #expect(found.tokens == sequences.items.reduce(0) { $0 + $1.rows.count })
    let (_, whole) = try sequences.reconstructed(by: sequences.dictionary)
    let activity = Double(whole.counts.reduce(0) { $0 + $1.reduce(0, +) })
    for prefix in found.prefixes {
      let cut = try MadeDictionary.open(
        MadeDictionary.selecting(Array(0..<prefix.features), of: parameters), backend: backend)
      let (metrics, density) = try sequences.reconstructed(by: cut)
      #expect(close(prefix.fvu, metrics.total.fvu), "FVU of \(prefix.features)")
      #expect(close(prefix.reconstructionBias, metrics.total.reconstructionBias, 1e-4))
      #expect(close(prefix.l0, metrics.l0))
      #expect(prefix.deadShare == density.deadShare)
      let share = Double(density.counts.reduce(0) { $0 + $1.reduce(0, +) }) / activity
      #expect(abs((prefix.activityShare.value ?? .nan) - share) < 1e-12)
      #expect(prefix.randomFVUs.count == 3 && prefix.energyFVU != nil)
    }
    let last = try #require(found.prefixes.last)
    #expect(last.nestingGain.value == nil && last.activityShare.value == 1)
    #expect(last.randomFVUs == [last.fvu, last.fvu, last.fvu] && last.energyFVU == last.fvu)
  }

  /// Orthogonal features of which each carries as much as any other: whichever m are taken, the rest is missing.
  @Test func equalFeaturesGainNothing() throws {
    let count = 12
    let dictionary = try MadeDictionary.open(
      MadeDictionary.tied((0..<count).map { i in (0..<count).map { $0 == i ? 1 : 0 } }, threshold: 0.01),
      backend: backend)
    // Token t gives feature i the strength (t + i) mod 12 + 1, so that all have the same sums over 12 tokens.
    let x = (0..<count).flatMap { t in (0..<count).map { Float((t + $0) % count + 1) } }
    let input = try Tensor(x, shape: [count, count])
    var measurement = try NestingMeasurement(dictionary, prefixes: [5], draws: 4, seed: 3)
    try measurement.add(dictionary.encode([input]), targets: [input], rows: Array(0..<count))
    let found = measurement.result.prefixes
    let squares = Double((1...12).reduce(0) { $0 + $1 * $1 })
    let variance = squares - 12 * 6.5 * 6.5
    for fvu in found[0].randomFVUs + [found[0].fvu] {
      #expect(abs((fvu.value ?? .nan) - 7 * squares / (12 * variance)) < 1e-6 && fvu.low == nil)
    }
    #expect(found[0].nestingGain.value == 0 && found[1].fvu.value == 0 && found[0].energyFVU == nil)
    #expect(abs((found[0].reconstructionBias.value ?? 0) - 1) < 1e-6 && found[0].l0.value == 5)
  }

  /// Features in falling order of what they write: the prefix is the best by energy and far better than random ones.
  @Test func orderedFeaturesGain() throws {
    let count = 16
    let dictionary = try MadeDictionary.open(
      MadeDictionary.tied((0..<count).map { i in (0..<count).map { $0 == i ? 1 : 0 } }, threshold: 0.001),
      backend: backend)
    var random = SeededRandom(seed: 6)
    var energy = try FeatureEnergy(dictionary)
    let inputs = try (0..<4).map { _ in
      try Tensor((0..<20 * count).map { (2 + random.float()) / Float(1 << ($0 % count)) }, shape: [20, count])
    }
    for input in inputs { try energy.add(dictionary.encode([input]), rows: Array(0..<20)) }
    func result(_ seed: UInt64) throws -> Nesting {
      var measurement = try NestingMeasurement(dictionary, prefixes: [4, 8], energies: energy, seed: seed)
      for input in inputs {
        try measurement.add(dictionary.encode([input]), targets: [input], rows: Array(0..<20))
      }
      return measurement.result
    }
    let found = try result(1)
    for prefix in found.prefixes.dropLast() {
      #expect(prefix.energyFVU == prefix.fvu)
      #expect((prefix.nestingGain.value ?? 0) > 0.95 && (prefix.nestingGain.value ?? 2) <= 1)
      #expect(prefix.nestingGain.low != nil && prefix.nestingGain.groups == 4)
      #expect((prefix.randomFVU ?? 0) > 2 * (prefix.fvu.value ?? 1))
      // The gain, written out of the FVUs.
      let (own, mean) = (try #require(prefix.fvu.value), try #require(prefix.randomFVU))
      let all = try #require(found.prefixes.last?.fvu.value)
      #expect(abs((prefix.nestingGain.value ?? .nan) - (mean - own) / (mean - all)) < 1e-9)
    }
    #expect(try result(1) == found && result(2) != found)
    #expect(Set(found.prefixes[0].randomFVUs.compactMap(\.value)).count > 1, "draws differ")
  }

  /// Sums do not depend on the order of sequences nor on threads.
  @Test func orderAndThreadsDoNotMatter() throws {
    let parameters = try MadeDictionary.random(MadeDictionary.shape(width: 23, inputs: 6), seed: 4)
    let results = try [1, 2].map { threads in
      try NestedSequences(
        MadeDictionary.open(parameters, backend: NativeBackend(threads: threads)), lengths: [20, 15], seed: 8
      ).measured([9])
    }
    #expect(results[0] == results[1])
  }

  @Test func nothingIsNotANumber() throws {
    let dictionary = try MadeDictionary.open(
      MadeDictionary.random(MadeDictionary.shape(width: 9, inputs: 3), seed: 1), backend: backend)
    let empty = try NestingMeasurement(dictionary, prefixes: [3]).result
    #expect(empty.tokens == 0 && empty.prefixes[0].fvu.value == nil && empty.prefixes[0].deadShare == nil)
    #expect(empty.prefixes[0].nestingGain.value == nil && empty.prefixes[0].activityShare.value == nil)
    #expect(empty.prefixes[0].randomFVU == nil)
    let without = try NestedSequences(dictionary, lengths: [9], seed: 1).measured([3], energies: false, draws: 0)
    #expect(without.prefixes[0].nestingGain.value == nil && without.prefixes[0].randomFVUs.isEmpty)
  }

  @Test func whatDoesNotFitIsNamed() throws {
    let shape = try MadeDictionary.shape(width: 9, inputs: 3)
    let dictionary = try MadeDictionary.open(MadeDictionary.random(shape, seed: 1), backend: backend)
    for prefixes in [[0], [10], [3, -1]] {
      #expect(throws: EvaluationError.self) { try NestingMeasurement(dictionary, prefixes: prefixes) }
    }
    let wider = try MadeDictionary.open(
      MadeDictionary.random(MadeDictionary.shape(width: 10, inputs: 3), seed: 1), backend: backend)
    var energies = try FeatureEnergy(wider)
    #expect(throws: EvaluationError.self) { try NestingMeasurement(dictionary, prefixes: [3], energies: energies) }
    let x = try Tensor([Float](repeating: 1, count: 6), shape: [2, 3])
    let code = try dictionary.encode([x])
    #expect(throws: EvaluationError.self) { try energies.add(code, rows: [2]) }
    var measurement = try NestingMeasurement(dictionary, prefixes: [3])
    #expect(throws: EvaluationError.self) { try measurement.add(code, targets: [], rows: [0]) }
    #expect(throws: EvaluationError.self) { try measurement.add(code, targets: [x], rows: [2]) }
    struct Stop: Error {}
    #expect(throws: Stop.self) { try measurement.add(code, targets: [x], rows: [0]) { throw Stop() } }
    #expect(measurement.result.tokens == 0 && measurement.result.sequences == 0)
  }
}
