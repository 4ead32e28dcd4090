import Dictionaries
import Evaluation
import Foundation
import Gemma
import Sites
import TestSupport
import Tensors
import Testing

/// The tiny model with three texts; token 2 is `<bos>`, 5 is called special as well.
struct TinyTexts {
  let backend: NativeBackend
  let model: GemmaModel
  let special: Set<Int32> = [2, 5]
  let texts: [[Int32]]

  init() throws {
    backend = try NativeBackend(threads: 2)
    model = try GemmaModel(contentsOf: Fixtures.url("gemma/causal"), backend: backend)
    var random = SeededRandom(seed: 12)
    let vocabulary = model.configuration.vocabularySize
    texts = [19, 7, 33].map { length in [2] + (1..<length).map { _ in Int32(random.int(3...vocabulary - 1)) } + [5, 9] }
  }

  func dictionary(_ path: String, name: String? = nil) throws -> SparseDictionary {
    try SparseDictionary(contentsOf: Fixtures.url("dictionaries/\(path)"), name: name, backend: backend)
  }

  static let residual = "resid_post/layer_3_width_37_l0_small"
  static let transcoder = "transcoder/layer_4_width_53_l0_small_affine"
  static let crosscoder = "crosscoder/layer_1_2_4_6_width_148_l0_medium"

  func rows(_ ids: [Int32]) -> [Int] { ids.indices.filter { !special.contains(ids[$0]) } }

  func means(_ sites: [Site]) throws -> SiteMeans {
    var means = SiteMeans()
    for ids in texts {
      let activations = try model.forward([ids], capture: Set(sites), logits: .none).activations
      for site in sites { try means.add(#require(activations[site]), rows: rows(ids), at: site) }
    }
    return means
  }

  func measure(_ dictionaries: [SparseDictionary], _ replacements: [Replacement]) throws -> LossMeasurement {
    let sites = Set(dictionaries.flatMap(\.shape.writes)).sorted()
    var measurement = try LossMeasurement(
      model, dictionaries: dictionaries, specialTokens: special, replacements: replacements, means: means(sites))
    for ids in texts { try measurement.add(ids) }
    return measurement
  }
}

@Suite struct LossTests {
  /// Log probabilities of a text's every next token, in fp64.
  private func logProbabilities(_ tiny: TinyTexts, _ ids: [Int32], _ visitor: (any SiteVisitor)?) throws -> [[Double]] {
    let logits = try #require(try tiny.model.forward([ids], logits: .all, visitor: visitor).logits)
    let values = try logits.read().map(Double.init)
    return ids.indices.map { row in
      let one = values[row * logits.rowLength..<(row + 1) * logits.rowLength]
      let largest = one.max() ?? 0
      let normaliser = largest + log(one.reduce(0) { $0 + exp($1 - largest) })
      return one.map { $0 - normaliser }
    }
  }

  /// Losses and divergences against their definitions, with the site's own rows replaced by hand.
  @Test func followTheDefinitions() throws {
    let tiny = try TinyTexts()
    let dictionary = try tiny.dictionary(TinyTexts.residual)
    let site = dictionary.shape.writes[0]
    let kinds: [Replacement] = [.reconstruction(dictionary: 0, write: 0), .mean([site]), .zero([site])]
    let found = try tiny.measure([dictionary], kinds)
    let mean = try #require(try tiny.means([site]).mean(of: site))
    var (clean, losses, divergences, count) = (0.0, [0.0, 0, 0], [0.0, 0, 0], 0)
    for ids in tiny.texts {
      let x = try #require(try tiny.model.forward([ids], capture: [site], logits: .none).activations[site])
      let made = try dictionary.reconstruct([x]).outputs[0].read()
      let before = try logProbabilities(tiny, ids, nil)
      let predicting = ids.indices.dropLast().filter { !tiny.special.contains(ids[$0 + 1]) }
      for row in predicting { clean -= before[row][Int(ids[row + 1])] }
      count += predicting.count
      for (kind, new) in [made, (0..<ids.count).flatMap { _ in mean }, [Float](repeating: 0, count: made.count)]
        .enumerated()
      {
        var values = try x.read()
        for row in tiny.rows(ids) {
          for i in row * x.rowLength..<(row + 1) * x.rowLength { values[i] = new[i] }
        }
        // Every row is put in, special ones with what they had.
        let visitor = ReplacingVisitor(
          [site: try Tensor(values, shape: x.shape)], rows: Array(ids.indices), backend: tiny.backend)
        let after = try logProbabilities(tiny, ids, visitor)
        for row in predicting {
          losses[kind] -= after[row][Int(ids[row + 1])]
          divergences[kind] += zip(before[row], after[row]).reduce(0) { $0 + exp($1.0) * ($1.0 - $1.1) }
        }
      }
    }
    func close(_ a: Estimate, _ b: Double) -> Bool { abs((a.value ?? .nan) - b) < 2e-5 }
    let n = Double(count)
    #expect(found.clean.sequences.reduce(0) { $0 + $1.predictions } == count)
    #expect(close(found.clean.crossEntropy, clean / n) && found.clean.divergence.value == 0)
    for (kind, replacement) in kinds.enumerated() {
      let measured = try #require(found.replaced[replacement])
      #expect(close(measured.crossEntropy, losses[kind] / n), "\(replacement)")
      #expect(close(measured.divergence, divergences[kind] / n), "\(replacement)")
      #expect(close(measured.delta(from: found.clean), (losses[kind] - clean) / n), "\(replacement)")
      #expect(measured.sequences.reduce(0) { $0 + $1.predictions } == count)
    }
    let spliced = try #require(found.replaced[kinds[0]])
    for (index, baseline) in [LossRecovered.Baseline.mean, .zero].enumerated() {
      let ablated = try #require(found.replaced[kinds[index + 1]])
      let recovered = LossRecovered(baseline, clean: found.clean, spliced: spliced, ablated: ablated)
      #expect(close(recovered.deltaLoss, (losses[0] - clean) / n))
      #expect(close(recovered.baselineDeltaLoss, (losses[index + 1] - clean) / n))
      if losses[index + 1] > clean {
        let expected = (losses[index + 1] - losses[0]) / (losses[index + 1] - clean)
        #expect(abs((recovered.value.value ?? .nan) - expected) < 1e-3 * max(1, abs(expected)))
      } else {
        #expect(recovered.value.value == nil)
      }
    }
  }

  /// One dictionary of one write, spliced live, is the site replaced by its reconstruction.
  @Test(arguments: [TinyTexts.residual, TinyTexts.transcoder]) func oneSpliceIsOneReplacement(path: String) throws {
    let tiny = try TinyTexts()
    let dictionary = try tiny.dictionary(path)
    let (one, live) = (Replacement.reconstruction(dictionary: 0, write: 0), Replacement.splice(dictionaries: [0]))
    let found = try tiny.measure([dictionary], [one, live])
    #expect(found.replaced[one] == found.replaced[live])
    #expect(found.replaced[one] != found.clean)
  }

  /// What stands at each written site when `dictionaries` are spliced, one pass of the model for each site: every one
  /// reads what the sites before and the dictionaries before it left.
  private func splicedByHand(
    _ tiny: TinyTexts, _ dictionaries: [SparseDictionary], _ ids: [Int32]
  ) throws -> [Site: Tensor] {
    let sites = Set(dictionaries.flatMap { $0.shape.reads + $0.shape.writes }).sorted()
    var (spliced, inputs): ([Site: Tensor], [Int: [Site: Tensor]]) = ([:], [:])
    for site in sites {
      let visitor = ReplacingVisitor(spliced, rows: Array(ids.indices), backend: tiny.backend)
      let found = try tiny.model.forward([ids], capture: Set(sites), logits: .none, visitor: visitor).activations
      var x = try #require(found[site])
      for (index, dictionary) in dictionaries.enumerated() {
        if dictionary.shape.reads.contains(site) { inputs[index, default: [:]][site] = x }
        guard let write = dictionary.shape.writes.firstIndex(of: site) else { continue }
        // Later reads write no earlier site, so it does not matter what stands there now.
        let read = try dictionary.shape.reads.map { try #require(inputs[index]?[$0] ?? found[$0]) }
        let made = try dictionary.reconstruct(read).outputs[write].read()
        var values = try x.read()
        for row in tiny.rows(ids) {
          for i in row * x.rowLength..<(row + 1) * x.rowLength { values[i] = made[i] }
        }
        x = try Tensor(values, shape: x.shape)
        spliced[site] = x
      }
    }
    return spliced
  }

  /// Sets of dictionaries spliced together against activations put in by hand: of different sites, a crosscoder's several,
  /// and of one site twice, where the last has the last word.
  @Test(arguments: [
    [TinyTexts.residual, TinyTexts.transcoder], [TinyTexts.residual, TinyTexts.transcoder, TinyTexts.crosscoder],
    [TinyTexts.crosscoder], [TinyTexts.residual, TinyTexts.residual, TinyTexts.transcoder],
  ])
  func setsAreSplicedTogether(_ paths: [String]) throws {
    let tiny = try TinyTexts()
    let dictionaries = try paths.enumerated().map { try tiny.dictionary($0.element, name: "\($0.offset)") }
    let set = Replacement.splice(dictionaries: Array(dictionaries.indices))
    let found = try tiny.measure(dictionaries, [set])
    var (loss, divergence, clean, count) = (0.0, 0.0, 0.0, 0)
    for ids in tiny.texts {
      let spliced = try splicedByHand(tiny, dictionaries, ids)
      let visitor = ReplacingVisitor(spliced, rows: Array(ids.indices), backend: tiny.backend)
      let (before, after) = (try logProbabilities(tiny, ids, nil), try logProbabilities(tiny, ids, visitor))
      for row in ids.indices.dropLast() where !tiny.special.contains(ids[row + 1]) {
        clean -= before[row][Int(ids[row + 1])]
        loss -= after[row][Int(ids[row + 1])]
        divergence += zip(before[row], after[row]).reduce(0) { $0 + exp($1.0) * ($1.0 - $1.1) }
        count += 1
      }
    }
    let measured = try #require(found.replaced[set])
    let n = Double(count)
    #expect(abs((measured.crossEntropy.value ?? .nan) - loss / n) < 2e-5)
    #expect(abs((measured.divergence.value ?? .nan) - divergence / n) < 2e-5)
    #expect(abs(loss - clean) / n > 1e-3, "splicing changes something")
  }

  @Test func whatIsMissingIsNamed() throws {
    let tiny = try TinyTexts()
    let dictionary = try tiny.dictionary(TinyTexts.residual)
    for replacement in [
      Replacement.reconstruction(dictionary: 1, write: 0), .reconstruction(dictionary: 0, write: 1),
      .splice(dictionaries: [3]), .mean([Site(.residPost, layer: 1)]),
    ] {
      #expect(throws: EvaluationError.self, "\(replacement)") {
        _ = try LossMeasurement(
          tiny.model, dictionaries: [dictionary], specialTokens: [2], replacements: [replacement], means: SiteMeans())
      }
    }
  }
}
