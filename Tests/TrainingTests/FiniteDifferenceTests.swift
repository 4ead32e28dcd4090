import Dictionaries
import Tensors
import TestSupport
import Testing
import Training

/// Gradients of every kind and objective against central differences of a dense loss in double precision; the
/// straight-through terms, which are no derivatives, against their formulas.
@Suite struct FiniteDifferenceTests {
  struct Case: CustomStringConvertible {
    var kind: DictionaryKind
    var activation: TrainingObjective.Activation
    var prefixes: [TrainingObjective.Prefix] = []
    var aux = false
    var limit: Float?
    var description: String {
      "\(kind) \(activation)\(prefixes.isEmpty ? "" : " prefixes")\(aux ? " aux" : "")\(limit == nil ? "" : " limit")"
    }

    static var all: [Case] {
      let prefixes: [TrainingObjective.Prefix] = [
        .init(size: 2, weight: 0.5), .init(size: 5, weight: 1), .init(size: 11, weight: 0.75),
      ]
      return DictionaryKind.allCases.flatMap { kind in
        [TrainingObjective.Activation.jumpReLU, .topK, .batchTopK].flatMap { activation in
          [
            Case(kind: kind, activation: activation), Case(kind: kind, activation: activation, prefixes: prefixes),
            Case(kind: kind, activation: activation, prefixes: prefixes, aux: true),
            Case(kind: kind, activation: activation, prefixes: prefixes, aux: true, limit: 1.1),
          ]
        }
      }
    }
  }

  @Test(arguments: Case.all) func gradients(test: Case) throws {
    var random = SeededRandom(seed: test.description.utf8.reduce(0) { $0 &* 31 &+ UInt64($1) })
    let multi = test.kind.isMultiLayer
    let (width, inputs, tokens) = (11, 5, 9)
    let outputs = test.kind == .transcoder ? 3 : test.kind == .clt ? 4 : inputs
    let shape = try TrainingShape(
      kind: test.kind, sources: multi ? 3 : 1, width: width, inputWidth: inputs, outputWidth: outputs,
      isAffine: test.kind == .transcoder || test.kind == .clt)
    let objective = TrainingObjective(
      activation: test.activation, prefixes: test.prefixes, frequencyScale: 0.2,
      auxK: test.aux ? .init(k: 2, coefficient: 0.7, deadAfterTokens: 100) : nil, normLimit: test.limit)
    let settings = StepSettings(
      learningRate: 0.01, sparsity: 0.02, targetL0: 2, frequency: 0.03, bandwidth: 0.3, k: multi ? 4 : 2)
    let state = try TrainingState(
      shape: shape, objective: objective, normalisation: .none(shape), backend: NativeBackend(threads: 2))
    let saved = try RandomState(shape, random: &random)
    try state.restore([saved])

    let x = (0..<shape.sources).map { _ in random.floats(tokens * inputs, scale: 2) }
    let y = (0..<shape.writes).map { _ in random.floats(tokens * outputs, scale: 2) }
    let batch = TrainingBatch(
      inputs: try x.map { try Tensor($0, shape: [tokens, inputs]) },
      targets: test.kind == .sae
        ? [try Tensor(x[0], shape: [tokens, inputs])] : try y.map { try Tensor($0, shape: [tokens, outputs]) })
    let targets = test.kind == .sae ? x : y
    let reference = DenseReference(
      shape: shape, objective: objective, settings: settings,
      inputs: x.map { x in (0..<tokens).map { t in (0..<inputs).map { Double(x[t * inputs + $0]) } } },
      targets: (0..<tokens).map { t in targets.flatMap { y in (0..<outputs).map { Double(y[t * outputs + $0]) } } },
      dead: saved.dead)
    let (report, gradients) = try state.gradients(batch, settings)
    var p = saved.parameters
    let gates = reference.gates(p)
    let auxiliary = test.aux ? reference.auxiliaryGates(p) : nil
    let residual = reference.errors(p, reference.encode(p), gates, size: width).map { $0.map { -$0 } }
    let loss = reference.smoothLoss(p, gates, auxiliary: auxiliary, residual: residual)
    let smooth = report.loss - report.sparsityLoss - report.frequencyLoss
    #expect(abs(smooth - loss) < 1e-5 * loss, "\(test): loss \(smooth), reference \(loss)")

    for (name, values) in gradients.named {
      var expected: [Double]
      if name.hasSuffix("log_threshold") {
        let source = try #require(Int(String(name.split(separator: ".")[1])))
        expected =
          test.activation == .jumpReLU
          ? reference.thresholdGradient(p, source: source) : .init(repeating: 0, count: values.count)
      } else {
        expected = []
        for i in values.indices {
          let before = try #require(p[name]?[i])
          let step = 1e-5
          p[name]?[i] = before + step
          let above = reference.smoothLoss(p, gates, auxiliary: auxiliary, residual: residual)
          p[name]?[i] = before - step
          let below = reference.smoothLoss(p, gates, auxiliary: auxiliary, residual: residual)
          p[name]?[i] = before
          expected.append((above - below) / (2 * step))
        }
      }
      let most = expected.reduce(0) { max($0, abs($1)) }
      let worst = zip(values, expected).reduce(0) { max($0, abs(Double($1.0) - $1.1)) }
      #expect(worst <= 5e-6 * most + 1e-9, "\(test) \(name): \(worst) of \(most)")
    }
  }
}
