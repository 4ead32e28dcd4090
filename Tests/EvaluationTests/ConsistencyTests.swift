import Dictionaries
import Evaluation
import Foundation
import Sites
import TestSupport
import Tensors
import Testing

@Suite struct ConsistencyTests {
  private let backend: NativeBackend

  init() throws { backend = try NativeBackend(threads: 2) }

  /// A density in which feature i of every read is active on `counts[i]` of 100 tokens.
  static func density(_ shape: DictionaryShape, _ counts: [Int]) throws -> FeatureDensity {
    var density = FeatureDensity(shape)
    let active = (0..<100).map { token in counts.indices.filter { token < counts[$0] }.map { Int32($0) } }
    let code = try SparseCode(
      rowOffsets: active.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.count) }, features: active.flatMap { $0 },
      activations: active.flatMap { $0.map { _ in Float(1) } })
    try density.add(DictionaryCode(shape.reads.map { _ in code }), rows: Array(0..<100))
    return density
  }

  private func shuffled(_ count: Int, seed: UInt64) -> [Int] {
    var random = SeededRandom(seed: seed)
    return Array(0..<count).shuffled(using: &random)
  }

  /// The same features in another order match perfectly, and the pairs tell the order.
  @Test(arguments: [(DictionaryKind.sae, 1, 4096), (.sae, 1, 16), (.crosscoder, 3, 4096), (.transcoder, 1, 4096)])
  func permutedFeatures(_ kind: DictionaryKind, _ reads: Int, _ exactLimit: Int) throws {
    let parameters = try MadeDictionary.random(
      MadeDictionary.shape(kind, reads: reads, width: 97, inputs: 24), seed: 3)
    let order = shuffled(97, seed: 5)
    let a = try MadeDictionary.open(parameters, name: "a", backend: backend)
    let b = try MadeDictionary.open(MadeDictionary.selecting(order, of: parameters), name: "b", backend: backend)
    for read in 0..<reads {
      let found = try Consistency(a, b, read: read, exactLimit: exactLimit)
      #expect(found.all.decoder.method == (exactLimit < 97 ? .auction : .exact))
      for agreement in [found.all.decoder, found.all.encoder] {
        #expect(abs((agreement.matchedCosine ?? 0) - 1) < 1e-6)
        #expect(agreement.pairs.map(\.a) == Array(0..<97))
        #expect(agreement.pairs.allSatisfy { order[$0.b] == $0.a })
        #expect(agreement.share(atLeast: 0.9) == 1)
        #expect(abs((agreement.meanMaximumOfA ?? 0) - 1) < 1e-6 && abs((agreement.meanMaximumOfB ?? 0) - 1) < 1e-6)
      }
      #expect(found.all.sharedShare == 1)
      #expect((found.all.null.matchedCosine ?? 1) < 0.6)
      #expect(found.alive == nil && found.densityWeighted == nil && found.read == read)
    }
  }

  /// Rows drawn at random agree as the null does, by another generator; other seeds of the null change it little.
  @Test func randomRowsLieAtTheNull() throws {
    let (features, width) = (400, 64)
    let shape = try MadeDictionary.shape(width: features, inputs: width)
    // One generator for both: those of neighbouring seeds give the same numbers, one place on.
    var random = SeededRandom(seed: 20)
    let dictionaries = try (0..<2).map { seed in
      var parameters = try MadeDictionary.random(shape, seed: UInt64(seed))
      parameters.layers[0].decoder = (0..<features).flatMap { _ in random.direction(width) }
      return try MadeDictionary.open(parameters, backend: backend)
    }
    let found = try Consistency(dictionaries[0], dictionaries[1]).all
    func near(_ a: Double?, _ b: Double?) -> Bool { abs((a ?? .nan) / (b ?? .nan) - 1) < 0.02 }
    #expect(near(found.decoder.matchedCosine, found.null.matchedCosine))
    #expect(near(found.decoder.meanMaximumOfA, found.null.meanMaximumOfA))
    #expect(near(found.decoder.meanMaximumOfB, found.null.meanMaximumOfB))
    #expect(found.sharedShare == 0 && found.decoder.share(atLeast: 0.7) == 0)
    // The largest of F cosines of random directions lies below √(2 ln F / d), near it for large F.
    let limit = (2 * log(Double(features)) / Double(width)).squareRoot()
    #expect((0.8 * limit...limit).contains(found.null.meanMaximumOfA ?? 0))
    #expect((found.decoder.matchedCosine ?? 1) < (found.decoder.meanMaximumOfA ?? 0))
  }

  /// Dead features keep random rows: they lower the figure over all, not that over the living.
  @Test func deadFeaturesAreLeftOut() throws {
    let parameters = try MadeDictionary.random(MadeDictionary.shape(width: 60, inputs: 16), seed: 7)
    let other = try MadeDictionary.random(MadeDictionary.shape(width: 60, inputs: 16), seed: 8)
    var order = shuffled(60, seed: 9)
    var changed = try MadeDictionary.selecting(order, of: parameters)
    // Of b the features whose original is above 39 become random ones; they are dead in both.
    for (place, original) in order.enumerated() where original >= 40 {
      for i in 0..<16 { changed.layers[0].decoder[place * 16 + i] = other.layers[0].decoder[place * 16 + i] }
      order[place] = -1
    }
    let a = try MadeDictionary.open(parameters, backend: backend)
    let b = try MadeDictionary.open(changed, backend: backend)
    let counts = (0..<60).map { $0 < 40 ? $0 + 1 : 0 }
    let densities = (
      a: try Self.density(a.shape, counts), b: try Self.density(b.shape, order.map { $0 < 0 ? 0 : $0 + 1 })
    )
    let found = try Consistency(a, b, densities: densities)
    let alive = try #require(found.alive)
    #expect(alive.decoder.sizeOfA == 40 && alive.decoder.sizeOfB == 40 && found.all.decoder.sizeOfA == 60)
    #expect(abs((alive.decoder.matchedCosine ?? 0) - 1) < 1e-6 && alive.sharedShare == 1)
    #expect(alive.decoder.pairs.allSatisfy { order[$0.b] == $0.a })
    #expect((found.all.decoder.matchedCosine ?? 1) < 0.95)
    #expect(abs((found.densityWeighted ?? 0) - 1) < 1e-6)
  }

  /// The weighted mean, written out, where pairs differ.
  @Test func weightsAreDensities() throws {
    let a = try MadeDictionary.open(MadeDictionary.tied([[1, 0], [0, 1]]), backend: backend)
    let b = try MadeDictionary.open(MadeDictionary.tied([[0.6, 0.8], [1, 0]]), backend: backend)
    let found = try Consistency(
      a, b, densities: (Self.density(a.shape, [10, 30]), Self.density(b.shape, [50, 90])))
    #expect(found.all.decoder.pairs.map(\.b) == [1, 0])
    #expect(abs((found.all.decoder.matchedCosine ?? 0) - 0.9) < 1e-6)
    #expect(abs((found.densityWeighted ?? 0) - (100.0 * 1 + 80 * 0.8) / 180) < 1e-6)
    #expect(found.all.decoder.share(atLeast: 0.9) == 0.5 && found.all.sharedShare == 1)
  }

  /// A dictionary with a part of the other's features, and pairs that decoders and encoders do not agree on.
  @Test func unequalWidthsAndEncoders() throws {
    let parameters = try MadeDictionary.random(MadeDictionary.shape(width: 50, inputs: 20), seed: 1)
    let part = Array(stride(from: 0, to: 50, by: 3))
    let a = try MadeDictionary.open(parameters, backend: backend)
    var other = try MadeDictionary.selecting(part, of: parameters)
    // Half of b's encoder columns become another's: these pairs are not shared.
    let width = part.count
    for i in 0..<20 { for j in 0..<8 { other.layers[0].encoder[i * width + j] *= -1 } }
    let b = try MadeDictionary.open(other, backend: backend)
    for (x, y) in [(a, b), (b, a)] {
      let found = try Consistency(x, y).all
      #expect(found.decoder.pairs.count == width && abs((found.decoder.matchedCosine ?? 0) - 1) < 1e-6)
      #expect(found.sharedShare == Double(width - 8) / Double(width))
      #expect(found.null.sizeOfA == found.decoder.sizeOfA && found.null.pairs.count == width)
    }
    let wide = try Consistency(a, b).all.decoder
    #expect((wide.meanMaximumOfA ?? 1) < 0.9 && abs((wide.meanMaximumOfB ?? 0) - 1) < 1e-6)
  }

  @Test func whatCannotBeComparedIsNamed() throws {
    let shape = try MadeDictionary.shape(width: 6, inputs: 4)
    let parameters = try MadeDictionary.random(shape, seed: 1)
    let a = try MadeDictionary.open(parameters, model: "google/gemma-3-270m", backend: backend)
    let others = [
      try MadeDictionary.open(parameters, model: "google/gemma-3-1b-pt", backend: backend),
      try MadeDictionary.open(
        MadeDictionary.random(MadeDictionary.shape(width: 6, inputs: 4, layer: 5), seed: 1), backend: backend),
      try MadeDictionary.open(
        MadeDictionary.random(MadeDictionary.shape(width: 6, inputs: 5), seed: 1), backend: backend),
      try MadeDictionary.open(
        MadeDictionary.random(MadeDictionary.shape(.transcoder, width: 6, inputs: 4), seed: 1), backend: backend),
    ]
    for other in others { #expect(throws: EvaluationError.self) { try Consistency(a, other) } }
    #expect(throws: EvaluationError.self) { try Consistency(a, a, read: 1) }
    let density = try Self.density(shape, [1, 1, 1, 1, 1, 1])
    let wrong = try Self.density(MadeDictionary.shape(width: 5, inputs: 4), [1, 1, 1, 1, 1])
    #expect(throws: EvaluationError.self) { try Consistency(a, a, densities: (density, wrong)) }
    var more = density
    try more.add(DictionaryCode([SparseCode(emptyRows: 1)]), rows: [0])
    #expect(throws: EvaluationError.self) { try Consistency(a, a, densities: (density, more)) }
    #expect(throws: EvaluationError.self) { try density.alive(read: 1) }
  }

  /// Without living features there is nothing to say.
  @Test func noFeatures() throws {
    let shape = try MadeDictionary.shape(width: 6, inputs: 4)
    let a = try MadeDictionary.open(MadeDictionary.random(shape, seed: 1), backend: backend)
    let dead = try Self.density(shape, [0, 0, 0, 0, 0, 0])
    let alive = try #require(try Consistency(a, a, densities: (dead, dead)).alive)
    #expect(alive.decoder.matchedCosine == nil && alive.sharedShare == nil && alive.decoder.meanMaximumOfA == nil)
    #expect(alive.decoder.share(atLeast: 0.5) == nil && alive.decoder.upperBound == nil)
    #expect(try Consistency(a, a, densities: (dead, dead)).densityWeighted == nil)
  }

  /// Pearson's correlation against its definition; the same activations correlate perfectly.
  @Test func correlations() throws {
    let made = try MadeUpSequences(seed: 4, lengths: [30, 1, 17], reads: 2, features: 5, width: 2)
    let pairs = [(a: 3, b: 0), (a: 0, b: 4), (a: 4, b: 4)]
    var same = try ActivationCorrelation((0..<5).map { ($0, $0) }, read: 1)
    var found = try ActivationCorrelation([pairs[0], pairs[1]], read: 1)
    var dense: [[[Double]]] = [[], []]
    for item in made.items {
      // The other dictionary's code is that of the other read.
      let other = try DictionaryCode([item.code.layers[1], item.code.layers[0]])
      try found.add(item.code, other, rows: item.rows)
      try same.add(item.code, item.code, rows: item.rows)
      for row in item.rows {
        for (side, layer) in [item.code.layers[1], item.code.layers[0]].enumerated() {
          dense[side].append((0..<5).map { Double(layer.activation(ofFeature: $0, inRow: row)) })
        }
      }
    }
    let n = Double(dense[0].count)
    #expect(found.tokens == dense[0].count)
    for (pair, correlation) in zip(pairs, found.correlations) {
      let (f, g) = (dense[0].map { $0[pair.a] }, dense[1].map { $0[pair.b] })
      let (meanF, meanG) = (f.reduce(0, +) / n, g.reduce(0, +) / n)
      let covariance = zip(f, g).reduce(0) { $0 + ($1.0 - meanF) * ($1.1 - meanG) }
      let (varianceF, varianceG) = (
        f.reduce(0) { $0 + ($1 - meanF) * ($1 - meanF) }, g.reduce(0) { $0 + ($1 - meanG) * ($1 - meanG) }
      )
      #expect(abs((correlation ?? .nan) - covariance / (varianceF * varianceG).squareRoot()) < 1e-9)
    }
    #expect(same.correlations.allSatisfy { abs(($0 ?? 0) - 1) < 1e-9 })
    #expect(abs((same.mean ?? 0) - 1) < 1e-9)
    #expect(throws: EvaluationError.self) { try ActivationCorrelation(pairs) }
    #expect(throws: EvaluationError.self) { try found.add(made.items[0].code, made.items[1].code, rows: [0]) }
    #expect(throws: EvaluationError.self) { try found.add(made.items[0].code, made.items[0].code, rows: [30]) }
  }

  @Test func constantActivationsDoNotCorrelate() throws {
    let code = try DictionaryCode([
      SparseCode(rowOffsets: [0, 1, 3, 4], features: [0, 0, 1, 0], activations: [0.3, 0.3, 2, 0.3])
    ])
    var found = try ActivationCorrelation([(0, 0), (1, 1), (2, 2)])
    #expect(found.correlations == [nil, nil, nil] && found.mean == nil)
    try found.add(code, code, rows: [0, 1, 2])
    #expect(found.correlations[0] == nil && found.correlations[2] == nil)
    #expect(abs((found.mean ?? 0) - 1) < 1e-12)
  }
}
