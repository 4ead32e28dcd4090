import Tensors
import TestSupport
import Testing
import Training

/// The end-to-end loss and its gradients by every parameter of a dictionary inside the tiny model.
@Suite struct EndToEndTests {
  @Test(arguments: EndToEndCase.names) func lossAndGradientsEqualAutograd(name: String) throws {
    let test = try EndToEndCase(name)
    let state = try test.state()
    let (report, gradients) = try state.gradients(test.batch, test.settings, loss: test.loss)
    let expected = try test.twin.values("loss")
    #expect(abs(report.loss - Double(expected[0])) <= 2e-5 * Double(expected[0]), "\(report.loss) of \(expected)")
    let kl = try #require(report.kl)
    #expect(abs(kl - Double(expected[2])) <= 2e-5 * Double(expected[2]), "\(kl) of \(expected)")
    let found = gradients.named
    for parameter in test.twin.parameters {
      let wanted = try test.twin.values("grad.\(parameter)")
      let values = try #require(found[parameter])
      let most = wanted.reduce(0) { max($0, abs($1)) }
      let worst = zip(values, wanted).reduce(0) { max($0, abs($1.0 - $1.1)) }
      #expect(values.count == wanted.count && worst <= 5e-5 * most, "\(parameter): \(worst) of \(most)")
    }
  }

  /// With α held at its value, the loss rises along a direction as fast as the gradient says. Parameters that decide which
  /// features are active, with a jump of the loss, are for the test above.
  @Test(arguments: [
    ("sae-attn-batchtopk", ["source.0.decoder"]), ("sae-mlp-in-topk", ["source.0.decoder"]),
    ("transcoder-affine-jumprelu", ["source.0.decoder", "decoder_bias", "skip.0"]),
  ])
  func gradientsEqualFiniteDifferences(name: String, parameters: [String]) throws {
    let test = try EndToEndCase(name)
    let state = try test.state()
    let (report, gradients) = try state.gradients(test.batch, test.settings, loss: test.loss)
    let alpha = report.reconstruction / (try #require(report.kl) + 1e-8)
    let beta = Double(test.settings.endToEnd)
    var random = SeededRandom(seed: 5)
    for parameter in parameters {
      let slope = try #require(gradients.named[parameter])
      let direction = random.floats(slope.count)
      let predicted = zip(slope, direction).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
      func loss(_ step: Float) throws -> Double {
        let moved = try test.state()
        let source = try ChangedState(base: test.twin.file, name: "\(parameter).value") { i, value in
          value + step * direction[i]
        }
        try moved.restore([source])
        let (report, _) = try moved.gradients(test.batch, test.settings, loss: test.loss)
        return (report.reconstruction + alpha * beta * (try #require(report.kl))) / (1 + beta)
      }
      let step: Float = 5e-4
      let measured = (try loss(step) - loss(-step)) / Double(2 * step)
      #expect(abs(measured - predicted) <= 0.01 * abs(predicted) + 0.01, "\(parameter): \(measured), \(predicted)")
    }
  }

  @Test func stepsLowerTheDivergence() throws {
    let test = try EndToEndCase("sae-attn-batchtopk")
    let state = try test.state()
    var divergences: [Double] = []
    for _ in 0..<40 {
      divergences.append(try #require(try state.step(test.batch, test.settings, loss: test.loss).kl))
    }
    #expect(try #require(divergences.last) < 0.5 * divergences[0], "\(divergences)")
  }

  @Test(arguments: EndToEndCase.names) func anyNumberOfThreadsGivesTheSameBits(name: String) throws {
    let results = try [1, 3].map { threads in
      let test = try EndToEndCase(name, threads: threads)
      let state = try test.state()
      let reports = try (0..<2).map { _ in try state.step(test.batch, test.settings, loss: test.loss) }
      return (reports, try state.tensors().mapValues { try $0.bytes() })
    }
    #expect(results[0].0 == results[1].0 && results[0].1 == results[1].1)
  }

  private final class BadLoss: ReconstructionLoss {
    struct Stop: Error {}
    var value = Double.nan
    var columns: Int?

    func evaluate(_ reconstruction: Tensor) throws -> (value: Double, gradient: Tensor) {
      guard let columns else { throw Stop() }
      let shape = [reconstruction.rows, columns]
      return (value, try Tensor([Float](repeating: 0, count: shape[0] * shape[1]), shape: shape))
    }
  }

  /// A loss that fails, or is no number, leaves the state as it was.
  @Test func aBadLossChangesNothing() throws {
    let test = try EndToEndCase("sae-jumprelu")
    let state = try test.state()
    let before = try state.tensors().mapValues { try $0.bytes() }
    let bad = BadLoss()
    #expect(throws: BadLoss.Stop.self) { _ = try state.step(test.batch, test.settings, loss: bad) }
    bad.columns = 3
    #expect(throws: TrainingError.self) { _ = try state.step(test.batch, test.settings, loss: bad) }
    bad.columns = 32
    #expect(try !state.step(test.batch, test.settings, loss: bad).isFinite)
    #expect(try state.tensors().mapValues { try $0.bytes() } == before)
    bad.value = 0
    #expect(try state.step(test.batch, test.settings, loss: bad).isFinite)
  }

  @Test func aReconstructionOfOtherRowsIsRefused() throws {
    let test = try EndToEndCase("sae-jumprelu")
    #expect(throws: TrainingError.self) {
      _ = try test.loss.evaluate(Tensor([Float](repeating: 0, count: 64), shape: [2, 32]))
    }
  }
}
