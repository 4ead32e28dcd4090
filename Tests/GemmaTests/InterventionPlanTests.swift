import Dictionaries
import Foundation
import Gemma
import Sites
import Tensors
import TestSupport
import Testing

/// What a plan refuses, before anything runs, and what it visits.
@Suite struct InterventionPlanTests {
  private func expectProblem(
    _ interventions: [Intervention], _ dictionaries: [SparseDictionary], _ bench: InterventionBench, _ expected: String,
    index: Int = 0, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let found = interventionProblem { _ = try bench.plan(interventions, dictionaries) }
    #expect(found?.index == index, "\(String(describing: found))", sourceLocation: sourceLocation)
    #expect(found?.problem.contains(expected) == true, "\(String(describing: found))", sourceLocation: sourceLocation)
  }

  @Test func featuresThatCannotBe() throws {
    let bench = try InterventionBench()
    let sae = try bench.dictionary(InterventionBench.residual, name: "residual")
    let clt = try bench.dictionary(InterventionBench.clt, name: "clt")
    let crosscoder = try bench.dictionary(InterventionBench.crosscoder, name: "cross")
    let all = [sae, clt, crosscoder]
    func ablate(
      _ name: String, _ index: Int, layer: Int? = nil, site: Site? = nil, layers: Intervention.Span? = nil
    ) -> Intervention {
      .init(.ablate, .feature(.init(dictionary: name, layer: layer, index: index)), site: site, layers: layers)
    }
    expectProblem([ablate("residua", 1)], all, bench, "nearest: 'residual'")
    expectProblem([ablate("residual", 1)], [], bench, "no dictionary is given")
    expectProblem([ablate("residual", 0), ablate("residual", 37)], all, bench, "has features 0..<37", index: 1)
    expectProblem([ablate("residual", 1, layer: 2)], all, bench, "'residual' reads layer 3")
    expectProblem([ablate("cross", 1)], all, bench, "'cross' reads layers 1, 2, 4, 6")
    expectProblem([ablate("cross", 1, layer: 3)], all, bench, "'layer' is 3")
    expectProblem([ablate("residual", 1, site: .residPost(4))], all, bench, "what is written here is resid_post.3")
    expectProblem([ablate("clt", 1, layer: 4, site: .mlpOut(3))], all, bench, "mlp_out.4, mlp_out.5, mlp_out.6")
    expectProblem(
      [ablate("clt", 1, layer: 4, layers: .init(to: 4))], all, bench, "'layers' 0..<4 leaves none of the sites written")
    expectProblem(
      [ablate("clt", 1, layer: 4, site: .mlpOut(5), layers: .init(from: 6))], all, bench,
      "leaves none of the sites written: mlp_out.5")
    expectProblem(
      [.init(.add, .feature(.init(dictionary: "clt", layer: 0, index: 3)), value: 1, unit: .maxActivation)], all, bench,
      "maximum of feature 3")
    expectProblem(
      [.init(.add, .feature(.init(dictionary: "clt", layer: 0, index: 3)), value: .nan)], all, bench, "finite number")
    expectProblem([.init(.splice, .dictionary("clr"))], all, bench, "nearest: 'clt'")
  }

  @Test func namesMayBeShortWhereThatIsClear() throws {
    let bench = try InterventionBench()
    let long = try bench.dictionary(InterventionBench.residual, name: "one/same")
    let other = try bench.dictionary(InterventionBench.residual, name: "two/same")
    let exact = try bench.dictionary(InterventionBench.residual, name: "same")
    let ablate = Intervention(.ablate, .feature(.init(dictionary: "same", index: 4)))
    _ = try bench.plan([ablate], [long])
    _ = try bench.plan([ablate], [long, other, exact])
    expectProblem([ablate], [long, other], bench, "may be any of 'one/same', 'two/same'")
  }

  @Test func dictionariesThatDoNotFit() throws {
    let bench = try InterventionBench()
    for (site, width) in [(Site.residPost(3), 31), (.residPost(7), 32), (.attnOut(0), 32)] {
      let made = try MadeDictionary(site: site, inputWidth: width, width: 4)
      expectProblem(
        [.init(.add, .feature(.init(dictionary: "made", index: 0)), value: 1)], [made.dictionary], bench,
        "does not fit the model")
    }
    let broken = try MadeDictionary(site: .residPost(3), inputWidth: 32, width: 4) { $0["w_dec"]?[37] = .infinity }
    expectProblem(
      [.init(.ablate, .feature(.init(dictionary: "made", index: 1)))], [broken.dictionary], bench, "is not finite")
    let empty = try MadeDictionary(site: .residPost(3), inputWidth: 32, width: 4) { tensors in
      for i in 64..<96 { tensors["w_dec"]?[i] = 0 }
    }
    expectProblem([.init(.ablate, .feature(.init(dictionary: "made", index: 2)))], [empty.dictionary], bench, "is zero")
    let huge = try MadeDictionary(site: .residPost(3), inputWidth: 32, width: 2, maxima: [1e30, 1])
    expectProblem(
      [.init(.add, .feature(.init(dictionary: "made", index: 0)), value: 1e30, unit: .maxActivation)],
      [huge.dictionary], bench, "beyond the range of fp32")
  }

  @Test func vectorsThatCannotBe() throws {
    let bench = try InterventionBench()
    func add(_ vector: MadeVector, _ site: Site) -> Intervention { .init(.add, vector.target, site: site, value: 1) }
    let ones = try MadeVector([Float](repeating: 1, count: 32))
    expectProblem([add(ones, .attnOut(2))], [], bench, "has shape [32], but attn_out.2 is 64 wide")
    expectProblem([add(ones, .residPost(7))], [], bench, "the model has layers 0 to 6")
    let matrix = try MadeVector([Float](repeating: 1, count: 32), shape: [4, 8])
    let zero = try MadeVector([Float](repeating: 0, count: 32))
    let broken = try MadeVector([Float](repeating: .nan, count: 32))
    expectProblem([add(matrix, .embed)], [], bench, "has shape [4, 8]")
    expectProblem([add(zero, .embed)], [], bench, "the vector is zero")
    expectProblem([add(broken, .embed)], [], bench, "numbers that are not finite")
    let file = ones.folder.url.appending(path: "v.safetensors")
    func named(_ file: URL, _ tensor: String) -> Intervention {
      .init(.add, .vector(.init(file: file, tensor: tensor)), site: .embed, value: 1)
    }
    expectProblem([named(file, "w")], [], bench, "'w'")
    expectProblem([named(ones.folder.url.appending(path: "w.safetensors"), "v")], [], bench, "w.safetensors")
    // A row of a matrix of one is a vector all the same.
    let row = try MadeVector([Float](repeating: 1, count: 32), shape: [1, 32])
    _ = try bench.plan([add(row, .embed)])
  }

  @Test func visitsWhatItNeedsAndNothingElse() throws {
    let bench = try InterventionBench()
    let sae = try bench.dictionary(InterventionBench.residual, name: "sae")
    let clt = try bench.dictionary(InterventionBench.clt, name: "clt")
    func sites(_ interventions: [Intervention]) throws -> [Site] {
      let plan = try bench.plan(interventions, [sae, clt])
      let visitor = plan.visitor()
      #expect(bench.model.shape.sites.filter { visitor.visits($0) } == plan.sites)
      return plan.sites
    }
    let feature = Intervention.Target.feature(.init(dictionary: "clt", layer: 4, index: 5))
    #expect(try sites([]) == [])
    #expect(try sites([.init(.add, feature, value: 1)]) == [.mlpOut(4), .mlpOut(5), .mlpOut(6)])
    #expect(try sites([.init(.set, feature, value: 1)]) == [.mlpIn(4), .mlpOut(4), .mlpOut(5), .mlpOut(6)])
    #expect(
      try sites([.init(.set, feature, value: 1, layers: .init(from: 6)), .init(.splice, .dictionary("sae"))])
        == [.residPost(3), .mlpIn(4), .mlpOut(6)])
    // Splices need the codes of all layers up to the last one written.
    #expect(
      try sites([.init(.splice, .dictionary("clt"), layers: .init(from: 1, to: 2))]) == [
        .mlpIn(0), .mlpIn(1), .mlpOut(1),
      ])
    #expect(try sites([.init(.splice, .dictionary("clt"), keepError: true)]) == [])
  }

  @Test func refusesAnotherModelsActivations() throws {
    let bench = try InterventionBench()
    let vector = try MadeVector([Float](repeating: 1, count: 32))
    let plan = try bench.plan([.init(.add, vector.target, site: .embed, value: 1)])
    let rows = try bench.model.forward([[5, 6]], capture: [.embed], logits: .none).rows
    #expect(throws: GemmaError.self) {
      try plan.visitor().visit(.embed, try Tensor([Float](repeating: 0, count: 62), shape: [2, 31]), rows: rows)
    }
    #expect(throws: GemmaError.self) {
      try bench.model.forward([[5, 6]], visitor: plan.visitor(promptLengths: [1, 2]))
    }
  }
}
