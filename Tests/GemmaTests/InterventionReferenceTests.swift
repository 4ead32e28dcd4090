import Dictionaries
import Foundation
import Gemma
import Sites
import Tensors
import TestSupport
import Testing

/// Every kind of intervention on every kind of dictionary against a visitor written out by hand.
@Suite struct InterventionReferenceTests {
  static let paths = [
    InterventionBench.residual, "attn_out/layer_5_width_53_l0_medium", "mlp_out/layer_2_width_37_l0_big",
    InterventionBench.transcoder, InterventionBench.affineTranscoder, InterventionBench.crosscoder,
    InterventionBench.clt, InterventionBench.affineCLT,
  ]
  static let kinds: [Intervention.Kind] = [.add, .set, .scale, .ablate, .orthogonal, .cap]

  /// The feature of `read` that is on most often, so that every kind has something to change.
  private func busiest(_ bench: InterventionBench, _ dictionary: SparseDictionary, read: Int) throws -> Int {
    let x = try bench.activations(dictionary.shape.reads[read])
    let input = try Tensor(x, shape: [bench.tokens.count, dictionary.shape.inputWidth])
    var counts = [Int](repeating: 0, count: dictionary.shape.width)
    for feature in try dictionary.encode(input, read: read).features { counts[Int(feature)] += 1 }
    return try #require(counts.indices.dropFirst(3).max { counts[$0] < counts[$1] })
  }

  /// The change by hand. Row 0 is <bos> and stays.
  private func hand(
    _ kind: Intervention.Kind, _ value: Double, share: Bool, _ dictionary: HandDictionary, read: Int, feature: Int,
    writes: [Int]
  ) -> HandVisitor {
    var code: [Double] = []
    var edits: [Site: HandVisitor.Edit] = [:]
    let readSite = dictionary.shape.reads[read]
    let takeCode: HandVisitor.Edit = { x in code = x.map { dictionary.encode($0, read: read)[feature] } }
    edits[readSite] = takeCode
    for write in writes {
      let site = dictionary.shape.writes[write]
      let row = dictionary.row(read: read, feature: feature, write: write)
      let length = row.reduce(0) { $0 + $1 * $1 }.squareRoot()
      edits[site] = { x in
        if site == readSite { takeCode(&x) }
        for r in x.indices.dropFirst() {
          let size = x[r].reduce(0) { $0 + $1 * $1 }.squareRoot()
          let amount = share ? value * size / length : value
          let along = zip(x[r], row).reduce(0) { $0 + $1.0 * $1.1 } / (length * length)
          let change =
            switch kind {
            case .add: amount
            case .set: amount - code[r]
            case .scale: (value - 1) * code[r]
            case .ablate, .splice: -code[r]
            case .cap: min(code[r], amount) - code[r]
            case .orthogonal: -along
            }
          for i in row.indices { x[r][i] += change * row[i] }
        }
      }
    }
    return HandVisitor(edits)
  }

  @Test(arguments: paths, kinds)
  func oneFeature(path: String, kind: Intervention.Kind) throws {
    let bench = try InterventionBench()
    let dictionary = try bench.dictionary(path)
    let byHand = try HandDictionary(dictionary)
    let read = dictionary.shape.reads.count / 2
    let feature = try busiest(bench, dictionary, read: read)
    let writes = Array(dictionary.shape.writes.indices.dropFirst(read))
    let value: Float? = [.ablate, .orthogonal].contains(kind) ? nil : kind == .cap ? 0.3 : 1.75
    let units: [Intervention.Unit] = [.add, .set, .cap].contains(kind) ? [.raw, .residualNorm] : [.raw]
    let plain = try bench.logits(nil)
    for unit in units {
      let amount = unit == .raw ? value : value.map { $0 / 10 }
      let target = Intervention.Target.feature(
        .init(dictionary: dictionary.name, layer: dictionary.shape.reads[read].layer, index: feature))
      let plan = try bench.plan([.init(kind, target, value: amount, unit: unit)], [dictionary])
      let expected = try bench.logits(
        hand(
          kind, Double(amount ?? 0), share: unit == .residualNorm, byHand, read: read, feature: feature, writes: writes)
      )
      expectClose(
        try bench.logits(plan.visitor()), expected, rowLength: 300, tolerance: 1e-4, "\(path) \(kind) \(unit)")
      #expect(relativeError(plain, expected, rowLength: 300) > 1e-3, "\(path) \(kind) \(unit) changes nothing")
    }
  }

  @Test(arguments: [InterventionBench.crosscoder, InterventionBench.clt])
  func layersAndSiteNarrowTheWrites(path: String) throws {
    let bench = try InterventionBench()
    let dictionary = try bench.dictionary(path)
    let byHand = try HandDictionary(dictionary)
    let feature = try busiest(bench, dictionary, read: 1)
    let layer = dictionary.shape.reads[1].layer
    let target = Intervention.Target.feature(.init(dictionary: dictionary.name, layer: layer, index: feature))
    let narrowed: [(Intervention, [Int])] = [
      (
        .init(.ablate, target, layers: .init(from: 3)),
        dictionary.shape.writes.indices.filter { dictionary.shape.writes[$0].layer >= 3 }
      ),
      (.init(.ablate, target, layers: .init(from: layer, to: layer + 1)), [1]),
      (.init(.ablate, target, site: dictionary.shape.writes[2]), [2]),
    ]
    for (intervention, writes) in narrowed {
      let plan = try bench.plan([intervention], [dictionary])
      let expected = try bench.logits(
        hand(.ablate, 0, share: false, byHand, read: 1, feature: feature, writes: writes))
      expectClose(try bench.logits(plan.visitor()), expected, rowLength: 300, tolerance: 1e-4, "\(path) \(writes)")
    }
  }

  @Test(arguments: paths)
  func splice(path: String) throws {
    let bench = try InterventionBench()
    let dictionary = try bench.dictionary(path)
    let byHand = try HandDictionary(dictionary)
    var inputs: [[[Double]]] = dictionary.shape.reads.map { _ in [] }
    var codes: [[[Double]]] = inputs
    var edits: [Site: HandVisitor.Edit] = [:]
    for (read, site) in dictionary.shape.reads.enumerated() {
      edits[site] = { x in
        inputs[read] = x
        codes[read] = x.map { byHand.encode($0, read: read) }
      }
    }
    for (write, site) in dictionary.shape.writes.enumerated() {
      let take = edits[site]
      edits[site] = { x in
        take?(&x)
        for r in x.indices.dropFirst() {
          x[r] = byHand.decode((0...write).map { codes[$0][r] }, write: write, input: inputs[write][r])
        }
      }
    }
    let plan = try bench.plan([.init(.splice, .dictionary(dictionary.name))], [dictionary])
    let expected = try bench.logits(HandVisitor(edits))
    expectClose(try bench.logits(plan.visitor()), expected, rowLength: 300, tolerance: 2e-4, path)
    #expect(relativeError(try bench.logits(nil), expected, rowLength: 300) > 1e-3)
  }

  /// Along a vector: the activation is the projection on the unit vector.
  @Test(arguments: kinds, [Site.embed, .attnOut(5), .mlpIn(6), .mlpOut(0), .residPost(6)])
  func vectors(kind: Intervention.Kind, site: Site) throws {
    let bench = try InterventionBench()
    var random = SeededRandom(seed: 31)
    let vector = try MadeVector(random.floats(bench.model.shape.width(of: site), scale: 2))
    let length = vector.values.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
    let units: [Intervention.Unit] = [.add, .set, .cap].contains(kind) ? [.raw, .residualNorm] : [.raw]
    for unit in units {
      let value: Float? = [.ablate, .orthogonal].contains(kind) ? nil : 0.4
      let plan = try bench.plan([.init(kind, vector.target, site: site, value: value, unit: unit)])
      let edit: HandVisitor.Edit = { x in
        for r in x.indices.dropFirst() {
          let projection = zip(x[r], vector.values).reduce(0) { $0 + $1.0 * Double($1.1) } / length
          let size = x[r].reduce(0) { $0 + $1 * $1 }.squareRoot()
          let amount = Double(value ?? 0) * (unit == .raw ? 1 : size)
          let change =
            switch kind {
            case .add: unit == .raw ? amount * length : amount
            case .set: amount - projection
            case .scale: (amount - 1) * projection
            case .cap: min(projection, amount) - projection
            case .ablate, .orthogonal, .splice: -projection
            }
          for i in x[r].indices { x[r][i] += change * Double(vector.values[i]) / length }
        }
      }
      let expected = try bench.logits(HandVisitor([site: edit]))
      expectClose(
        try bench.logits(plan.visitor()), expected, rowLength: 300, tolerance: 1e-4, "\(kind) \(site) \(unit)")
    }
  }

  @Test func maximumActivationScalesTheValue() throws {
    let bench = try InterventionBench()
    let made = try MadeDictionary(site: .residPost(2), inputWidth: 32, width: 5, maxima: [3, 0, 7, 1, 2])
    func target(_ index: Int) -> Intervention.Target { .feature(.init(dictionary: "made", index: index)) }
    for kind in [Intervention.Kind.add, .set, .cap] {
      let shares = try bench.plan([.init(kind, target(2), value: 0.5, unit: .maxActivation)], [made.dictionary])
      let raw = try bench.plan([.init(kind, target(2), value: 3.5)], [made.dictionary])
      #expect(try bench.logits(shares.visitor()) == bench.logits(raw.visitor()))
    }
    let problem = interventionProblem {
      _ = try bench.plan([.init(.add, target(1), value: 0.5, unit: .maxActivation)], [made.dictionary])
    }
    #expect(problem?.problem.contains("maximum of feature 1") == true, "\(String(describing: problem))")
  }
}
