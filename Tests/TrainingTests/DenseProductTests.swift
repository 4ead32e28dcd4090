import Dictionaries
import Tensors
import TestSupport
import Testing
import Training

/// Steps by dense products give what steps by pairs give.
@Suite struct DenseProductTests {
  private static let isas = NativeBackend.InstructionSet.available

  /// All kinds, objectives, prefixes and AuxK, against the fp64 twin.
  @Test(arguments: TwinCase.names, isas) func gradientsEqualTheTwin(
    name: String, isa: NativeBackend.InstructionSet
  ) throws {
    let twin = try TwinCase(name)
    let state = try twin.state(NativeBackend(isa: isa, threads: 2))
    state.denseAbove = 0
    let (report, gradients) = try state.gradients(try twin.batch(0), twin.settings)
    let expected = try twin.values("loss")
    #expect(abs(report.loss - Double(expected[0])) <= 2e-6 * Double(expected[0]))
    #expect(abs(report.l0 - Double(expected[3])) <= 2e-6 * Double(expected[3]))
    let found = gradients.named
    for parameter in twin.parameters {
      let wanted = try twin.values("grad.\(parameter)")
      let values = try #require(found[parameter])
      let most = wanted.reduce(0) { max($0, abs($1)) }
      let worst = zip(values, wanted).reduce(0) { max($0, abs($1.0 - $1.1)) }
      #expect(values.count == wanted.count && worst <= 3e-6 * most, "\(name) \(isa) \(parameter): \(worst) of \(most)")
    }
  }

  /// Past the block of tokens that is dense at a time, with counters and updates; thresholds and prefixes included.
  @Test(arguments: [1, 511, 512, 1100]) func stepsEqualStepsByPairs(tokens: Int) throws {
    var random = SeededRandom(seed: UInt64(tokens))
    let (width, d) = (75, 19)
    let shape = try TrainingShape(kind: .sae, width: width, inputWidth: d, outputWidth: d)
    let objective = TrainingObjective(
      activation: .jumpReLU, prefixes: [.init(size: 7, weight: 0.5), .init(size: 33, weight: 1), .init(size: width)],
      frequencyScale: 0.1)
    let settings = StepSettings(
      learningRate: 1e-3, sparsity: 1e-4, targetL0: 10, frequency: 1e-4, bandwidth: 0.2)
    let batch = TrainingBatch(sae: try Tensor(random.floats(tokens * d), shape: [tokens, d]))
    let saved = try RandomState(shape, random: &random)
    func result(_ denseAbove: Double, threads: Int = 2) throws -> (StepReport, [String: Tensor], [String: [Float]]) {
      let state = try TrainingState(
        shape: shape, objective: objective, normalisation: .none(shape), backend: NativeBackend(threads: threads))
      try state.restore([saved])
      state.denseAbove = denseAbove
      let gradients = try state.gradients(batch, settings).gradients.named
      return (try state.step(batch, settings), try state.tensors(), gradients)
    }
    let (pairs, dense) = (try result(2), try result(0))
    #expect(pairs.0.pairs == dense.0.pairs && pairs.0.l0 == dense.0.l0 && pairs.0.deadShare == dense.0.deadShare)
    #expect(abs(pairs.0.loss - dense.0.loss) <= 1e-6 * pairs.0.loss)
    #expect(abs(pairs.0.gradientNorm - dense.0.gradientNorm) <= 1e-5 * pairs.0.gradientNorm)
    for (name, wanted) in pairs.2 {
      let most = wanted.reduce(0) { max($0, abs($1)) }
      let worst = zip(try #require(dense.2[name]), wanted).reduce(0) { max($0, abs($1.0 - $1.1)) }
      #expect(worst <= 1e-5 * most, "\(name): \(worst) of \(most)")
    }
    for name in ["source.0.last_fired", "source.0.last_step"] {
      #expect(try dense.1[name]?.readIntegers() == pairs.1[name]?.readIntegers(), "\(name)")
    }
    let one = try result(0, threads: 1)
    #expect(try one.1.mapValues { try $0.bytes() } == dense.1.mapValues { try $0.bytes() })
  }

  /// The density decides.
  @Test func sparseCodesStayPairs() throws {
    var random = SeededRandom(seed: 4)
    let shape = try TrainingShape(kind: .sae, width: 64, inputWidth: 41, outputWidth: 41)
    let batch = TrainingBatch(sae: try Tensor(random.floats(50 * 41), shape: [50, 41]))
    func gradients(_ l0: Float, _ denseAbove: Double?) throws -> [String: [Float]] {
      let state = try TrainingState(
        shape: shape, objective: TrainingObjective(activation: .jumpReLU), normalisation: .none(shape),
        backend: NativeBackend(threads: 1))
      try state.initialise(Initialisation(seed: 1, encoder: .decoder))
      try state.calibrateThresholds(batch, targetL0: l0)
      if let denseAbove { state.denseAbove = denseAbove }
      return try state.gradients(batch, StepSettings(learningRate: 0, targetL0: l0)).gradients.named
    }
    #expect(try gradients(3, nil) == gradients(3, 2))
    #expect(try gradients(30, nil) == gradients(30, 0))
    #expect(try gradients(30, nil) != gradients(30, 2))
  }
}
