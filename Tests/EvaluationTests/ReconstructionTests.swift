import Dictionaries
import Evaluation
import Foundation
import Sites
import TestSupport
import Tensors
import Testing

/// Activations, reconstructions and codes made up for some sequences.
struct MadeUpSequences {
  struct Item {
    let code: DictionaryCode
    let targets: [[Float]]
    let outputs: [[Float]]
    let rows: [Int]
    let tokens: Int
  }

  let shape: DictionaryShape
  let items: [Item]

  init(seed: UInt64, lengths: [Int], reads: Int, features: Int, width: Int, offset: Float = 4096) throws {
    var random = SeededRandom(seed: seed)
    let sites = (0..<reads).map { Site(.residPost, layer: $0) }
    shape = try DictionaryShape(
      checking: reads > 1 ? .crosscoder : .sae, reads: sites, writes: sites, width: features, inputWidth: width,
      outputWidth: width, isAffine: false)
    items = try lengths.map { tokens in
      let targets = sites.map { _ in random.floats(tokens * width).map { $0 + offset } }
      let codes = try sites.map { _ -> SparseCode in
        var (offsets, active) = ([0], [Int32]())
        for _ in 0..<tokens {
          active += (0..<Int32(features)).filter { _ in random.float() > 0.3 }
          offsets.append(active.count)
        }
        return try SparseCode(
          rowOffsets: offsets, features: active, activations: active.map { _ in abs(random.float()) + 0.1 })
      }
      return Item(
        code: try DictionaryCode(codes), targets: targets,
        outputs: targets.map { $0.map { $0 + random.float() * 0.5 } },
        // The first token stands for <bos>; some later ones are special, too.
        rows: (0..<tokens).filter { $0 > 0 && ($0 < 3 || random.int(0...9) > 0) }, tokens: tokens)
    }
  }

  func tensors(_ values: [[Float]], _ tokens: Int) throws -> [Tensor] {
    try values.map { try Tensor($0, shape: [tokens, shape.outputWidth]) }
  }

  func measured() throws -> ReconstructionMetrics {
    var measurement = ReconstructionMeasurement(shape)
    for item in items {
      try measurement.add(
        item.code, targets: tensors(item.targets, item.tokens), outputs: tensors(item.outputs, item.tokens),
        rows: item.rows)
    }
    return measurement.metrics
  }
}

@Suite struct ReconstructionTests {
  /// Every figure against two plain loops over all tokens.
  @Test(arguments: [
    (1, [13], 1, 1), (2, [9, 17, 5], 1, 7), (3, [31, 2, 64], 3, 5), (4, [2, 2], 2, 1),
  ])
  func againstTheDefinitions(_ seed: UInt64, _ lengths: [Int], _ reads: Int, _ width: Int) throws {
    let made = try MadeUpSequences(seed: seed, lengths: lengths, reads: reads, features: 6, width: width)
    let found = try made.measured()
    let tokens = made.items.reduce(0) { $0 + $1.rows.count }
    #expect(found.tokens == tokens && found.sequences == lengths.count)
    var active = 0
    var (errors, variances, outputs, products, cosines, ratios) = (
      [Double](repeating: 0, count: reads), [Double](repeating: 0, count: reads), 0.0, 0.0, 0.0, 0.0
    )
    for write in 0..<reads {
      var mean = [Double](repeating: 0, count: width)
      for item in made.items {
        for row in item.rows {
          for i in 0..<width { mean[i] += Double(item.targets[write][row * width + i]) / Double(tokens) }
        }
      }
      for item in made.items {
        for row in item.rows {
          active += item.code.layers[write].entries(ofRow: row).count
          var (square, output, product) = (0.0, 0.0, 0.0)
          for i in 0..<width {
            let x = Double(item.targets[write][row * width + i])
            let z = Double(item.outputs[write][row * width + i])
            errors[write] += (x - z) * (x - z)
            variances[write] += (x - mean[i]) * (x - mean[i])
            square += x * x
            output += z * z
            product += x * z
          }
          outputs += output
          products += product
          cosines += product / (square * output).squareRoot()
          ratios += (output / square).squareRoot()
        }
      }
    }
    func close(_ a: Estimate, _ b: Double) -> Bool { abs((a.value ?? .nan) - b) <= 1e-9 * max(abs(b), 1) }
    let (n, all) = (Double(tokens), Double(tokens * reads))
    let (error, variance) = (errors.reduce(0, +), variances.reduce(0, +))
    #expect(close(found.l0, Double(active) / n))
    #expect(close(found.total.mse, error / all))
    #expect(close(found.total.fvu, error / variance))
    #expect(close(found.total.explainedVariance, 1 - error / variance))
    #expect(close(found.total.cosine, cosines / all))
    #expect(close(found.total.reconstructionBias, outputs / products))
    #expect(close(found.total.normRatio, ratios / all))
    for (write, site) in found.sites.enumerated() {
      #expect(site.site == made.shape.writes[write])
      #expect(close(site.figures.fvu, errors[write] / variances[write]))
      #expect(close(site.figures.mse, errors[write] / n))
    }
    #expect(found.total.fvu.groups == lengths.count)
    #expect((found.total.fvu.low == nil) == (lengths.count < 2))
  }

  /// Figures by position against a plain loop over each bucket's tokens, with the mean of all tokens.
  @Test func positionsFollowTheDefinitions() throws {
    let (reads, width) = (2, 3)
    let made = try MadeUpSequences(seed: 8, lengths: [40, 7, 23], reads: reads, features: 6, width: width)
    let found = try made.measured()
    #expect(found.positions.map(\.positions) == [1..<2, 2..<4, 4..<8, 8..<16, 16..<32, 32..<64])
    #expect(found.positions.reduce(0) { $0 + $1.tokens } == found.tokens)
    let means = (0..<reads).map { write in
      var mean = [Double](repeating: 0, count: width)
      for item in made.items {
        for row in item.rows {
          for i in 0..<width { mean[i] += Double(item.targets[write][row * width + i]) / Double(found.tokens) }
        }
      }
      return mean
    }
    func close(_ a: Estimate, _ b: Double) -> Bool { abs((a.value ?? .nan) - b) <= 1e-9 * max(abs(b), 1) }
    for position in found.positions {
      var (active, errors, variances, outputs, products) = (0.0, [Double](), [Double](), 0.0, 0.0)
      var (cosines, ratios, tokens) = (0.0, 0.0, 0)
      for item in made.items {
        let rows = item.rows.filter(position.positions.contains)
        if rows.isEmpty { continue }
        tokens += rows.count
        var (error, variance) = (0.0, 0.0)
        for write in 0..<reads {
          for row in rows {
            active += Double(item.code.layers[write].entries(ofRow: row).count)
            var (square, output, product) = (0.0, 0.0, 0.0)
            for i in 0..<width {
              let x = Double(item.targets[write][row * width + i])
              let z = Double(item.outputs[write][row * width + i])
              error += (x - z) * (x - z)
              variance += (x - means[write][i]) * (x - means[write][i])
              square += x * x
              output += z * z
              product += x * z
            }
            outputs += output
            products += product
            cosines += product / (square * output).squareRoot()
            ratios += (output / square).squareRoot()
          }
        }
        errors.append(error)
        variances.append(variance)
      }
      let (n, all) = (Double(tokens), Double(tokens * reads))
      let fvu = errors.reduce(0, +) / variances.reduce(0, +)
      #expect(position.tokens == tokens && close(position.l0, active / n))
      #expect(close(position.figures.mse, errors.reduce(0, +) / all) && close(position.figures.fvu, fvu))
      #expect(close(position.figures.explainedVariance, 1 - fvu))
      #expect(close(position.figures.cosine, cosines / all) && close(position.figures.normRatio, ratios / all))
      #expect(close(position.figures.reconstructionBias, outputs / products))
      // Only sequences that reach the bucket are what its interval is told from.
      let interval = Estimate(errors, per: variances)
      #expect(position.figures.fvu.groups == errors.count)
      guard let half = interval.high.map({ $0 - fvu }) else {
        #expect(errors.count == 1 && position.figures.fvu.low == nil)
        continue
      }
      #expect(abs((position.figures.fvu.high ?? .nan) - fvu - half) <= 1e-9 * half, "\(position.positions)")
    }
  }

  /// Without figures by position everything else is the same.
  @Test func positionsCanBeLeftOut() throws {
    let made = try MadeUpSequences(seed: 3, lengths: [40, 7], reads: 1, features: 6, width: 3)
    var measurement = ReconstructionMeasurement(made.shape, byPosition: false)
    for item in made.items {
      try measurement.add(
        item.code, targets: made.tensors(item.targets, item.tokens), outputs: made.tensors(item.outputs, item.tokens),
        rows: item.rows)
    }
    let (some, all) = (measurement.metrics, try made.measured())
    #expect(some.positions.isEmpty && some.tokens == all.tokens && some.l0 == all.l0)
    #expect(abs((some.total.fvu.value ?? .nan) - (all.total.fvu.value ?? 0)) < 1e-12)
  }

  /// Perfect, mean and zero reconstructions have known figures.
  @Test func plantedReconstructions() throws {
    let made = try MadeUpSequences(seed: 5, lengths: [12, 9], reads: 1, features: 4, width: 6, offset: 3)
    func measure(_ output: (MadeUpSequences.Item) -> [Float]) throws -> ReconstructionMetrics.Figures {
      var measurement = ReconstructionMeasurement(made.shape)
      for item in made.items {
        try measurement.add(
          item.code, targets: made.tensors(item.targets, item.tokens),
          outputs: made.tensors([output(item)], item.tokens), rows: item.rows)
      }
      return measurement.metrics.total
    }
    let perfect = try measure { $0.targets[0] }
    #expect(perfect.fvu.value == 0 && perfect.explainedVariance.value == 1 && perfect.mse.value == 0)
    #expect(abs((perfect.cosine.value ?? 0) - 1) < 1e-12 && perfect.reconstructionBias.value == 1)
    #expect(perfect.normRatio.value == 1)

    var mean = [Double](repeating: 0, count: 6)
    let tokens = made.items.reduce(0) { $0 + $1.rows.count }
    for item in made.items {
      for row in item.rows { for i in 0..<6 { mean[i] += Double(item.targets[0][row * 6 + i]) / Double(tokens) } }
    }
    let flat = try measure { item in (0..<item.tokens).flatMap { _ in mean.map(Float.init) } }
    #expect(abs((flat.fvu.value ?? 0) - 1) < 1e-6)

    let zero = try measure { item in [Float](repeating: 0, count: item.tokens * 6) }
    #expect(zero.cosine.value == nil && zero.normRatio.value == nil && zero.reconstructionBias.value == nil)
    #expect((zero.fvu.value ?? 0) > 1)
  }

  @Test func constantActivationsHaveNoVariance() throws {
    let made = try MadeUpSequences(seed: 5, lengths: [6], reads: 1, features: 4, width: 2)
    var measurement = ReconstructionMeasurement(made.shape)
    let constant = try [Tensor([Float](repeating: 7, count: 12), shape: [6, 2])]
    try measurement.add(made.items[0].code, targets: constant, outputs: constant, rows: Array(0..<6))
    #expect(measurement.metrics.total.fvu.value == nil && measurement.metrics.total.explainedVariance.value == nil)
    #expect(ReconstructionMeasurement(made.shape).metrics.l0.value == nil)
  }

  @Test func whatDoesNotFitIsNamed() throws {
    let made = try MadeUpSequences(seed: 5, lengths: [6], reads: 1, features: 4, width: 2)
    var measurement = ReconstructionMeasurement(made.shape)
    let (code, good) = (made.items[0].code, try Tensor([Float](repeating: 7, count: 12), shape: [6, 2]))
    let bad = try Tensor([Float](repeating: 7, count: 12), shape: [4, 3])
    #expect(throws: EvaluationError.self) { try measurement.add(code, targets: [], outputs: [], rows: [1]) }
    #expect(throws: EvaluationError.self) { try measurement.add(code, targets: [good], outputs: [bad], rows: [1]) }
    #expect(throws: EvaluationError.self) { try measurement.add(code, targets: [good], outputs: [good], rows: [6]) }
    #expect(measurement.metrics.tokens == 0)
  }
}
