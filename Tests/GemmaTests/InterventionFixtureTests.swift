import Checkpoints
import Dictionaries
import Gemma
import Sites
import Tensors
import TestSupport
import Testing

/// Interventions against logits that PyTorch computed in fp64 (Tools/gemma_expectations.py,
/// make_dictionary_fixtures.py).
@Suite struct InterventionFixtureTests {
  @Test(arguments: ["add", "orthogonal", "orthogonal_at"])
  func vectorsMatchPyTorch(name: String) throws {
    let bench = try InterventionBench()
    let expected = try TinyGemma.dumps(file: "interventions")
    let vector = try MadeVector(try expected.tensor("iv.vector").read())
    let interventions: [String: Intervention] = [
      "add": .init(
        .add, vector.target, site: .residPost(3), value: 2.5,
        positions: .range(.init(from: 1, to: bench.tokens.count))),
      "orthogonal": .init(.orthogonal, vector.target, site: .residPost(2)),
      "orthogonal_at": .init(.orthogonal, vector.target, site: .residPost(2), positions: .list([4, 9])),
    ]
    // The expectation "orthogonal" includes <bos>.
    let plan = try bench.plan([try #require(interventions[name])], specialTokens: [])
    expectClose(
      try bench.logits(plan.visitor()), try expected.tensor("iv.\(name).logits").read(), rowLength: 300,
      tolerance: 1e-4, name)
  }

  @Test(arguments: ["add", "set", "scale", "ablate", "cap", "orthogonal", "splice", "splice_keep_error"])
  func featuresMatchPyTorch(name: String) throws {
    let bench = try InterventionBench()
    let expected = try TinyGemma.dumps(file: "feature_interventions")
    let dictionary = try bench.dictionary(InterventionBench.residual)
    let target = Intervention.Target.feature(
      .init(dictionary: dictionary.name, index: try #require(Int(expected.metadata["feature"] ?? ""))))
    let positions = Intervention.Positions.range(.init(from: 1, to: bench.tokens.count))
    func change(_ kind: Intervention.Kind, _ value: Float? = nil) -> Intervention {
      .init(kind, target, value: value, positions: positions)
    }
    func splice(keepError: Bool) -> Intervention {
      .init(.splice, .dictionary(dictionary.name), keepError: keepError, positions: positions)
    }
    let interventions: [String: [Intervention]] = [
      "add": [change(.add, 1.5)], "set": [change(.set, 1.5)], "scale": [change(.scale, 1.5)],
      "ablate": [change(.ablate)], "cap": [change(.cap, 0.75)], "orthogonal": [change(.orthogonal)],
      "splice": [splice(keepError: false)],
      "splice_keep_error": [splice(keepError: true), change(.set, 1.5)],
    ]
    let plan = try bench.plan(try #require(interventions[name]), [dictionary])
    expectClose(
      try bench.logits(plan.visitor()), try expected.tensor("iv.\(name).logits").read(), rowLength: 300,
      tolerance: 1e-4, name)
  }
}
