import Dictionaries
import Foundation
import Sites
import TestSupport
import Testing
import Training

@Suite struct RecipeTests {
  private func recipe(_ text: String) throws -> Recipe { try Recipe(json: Array(text.utf8), file: "r.json") }

  private func minimal(_ more: String = "") -> String {
    "{\"schema\":1,\"reads\":\"resid_post.9\",\"width\":2048\(more.isEmpty ? "" : ",")\(more)}"
  }

  @Test func whatIsLeftOutIsGemmaScope2() throws {
    let recipe = try recipe(minimal())
    #expect(recipe.kind == .sae)
    #expect(recipe.reads == [.residPost(9)] && recipe.writes == [.residPost(9)])
    #expect(recipe.objective == .jumprelu)
    #expect(recipe.learningRate == 7e-5 && recipe.bandwidth == 0.001 && recipe.batch == 4096)
    #expect(recipe.adam.beta1 == 0 && recipe.adam.beta2 == 0.999 && recipe.adam.epsilon == 1e-8)
    #expect(recipe.schedule.warmup == .steps(1000) && recipe.schedule.warmupFrom == 0.1)
    #expect(recipe.sparsity.ramp == .steps(50_000))
    #expect(recipe.matryoshka.prefixes == [2048] && recipe.matryoshka.weights == [1])
    #expect(recipe.initialisation.encoder == .decoder)
  }

  @Test func transcodersWriteTheirLayersOutput() throws {
    let one = try recipe(
      "{\"schema\":1,\"kind\":\"transcoder\",\"reads\":\"mlp_in.3\",\"width\":640,\"affine\":true,\"l0\":30}")
    #expect(one.writes == [.mlpOut(3)] && one.isAffine && one.initialisation.encoder == .random)
    let all = try recipe(
      "{\"schema\":1,\"kind\":\"clt\",\"reads\":[\"mlp_in.0\",\"mlp_in.1\"],\"width\":64,\"l0\":30}")
    #expect(all.writes == [.mlpOut(0), .mlpOut(1)])
  }

  /// What is wrong, and the key that the error must name.
  @Test(arguments: [
    ("{\"schema\":1,\"reads\":\"resid_post.9\"}", "'width'"),
    ("{\"reads\":\"resid_post.9\",\"width\":8}", "'schema'"),
    ("{\"schema\":2,\"reads\":\"resid_post.9\",\"width\":8,\"l0\":2}", "'schema'"),
    ("{\"schema\":1,\"width\":8}", "'reads'"),
    ("{\"schema\":1,\"reads\":\"resid.9\",\"width\":8}", "'reads'"),
    ("{\"schema\":1,\"reads\":[\"resid_post.9\",\"resid_post.10\"],\"width\":8}", "'reads'"),
    ("{\"schema\":1,\"reads\":\"resid_post.9\",\"writes\":\"mlp_out.9\",\"width\":8}", "'writes'"),
    ("{\"schema\":1,\"kind\":\"crosscoder\",\"reads\":\"resid_post.9\",\"width\":8}", "'reads'"),
    ("{\"schema\":1,\"kind\":\"crosscoder\",\"reads\":[\"resid_post.9\",\"resid_post.5\"],\"width\":8}", "'reads'"),
    ("{\"schema\":1,\"reads\":\"resid_post.9\",\"width\":8,\"width\":9}", "'width' stands there twice"),
    ("[1]", "no JSON object"), ("{", "not JSON"),
  ])
  func badRecipesNameTheirKey(text: String, key: String) throws {
    let error = #expect(throws: RecipeError.self) { try self.recipe(text) }
    #expect("\(String(describing: error))".contains(key), "\(String(describing: error))")
    #expect("\(String(describing: error))".contains("r.json: "))
  }

  @Test(arguments: [
    ("\"learnig_rate\":1e-3", "'learnig_rate' is no known key"),
    ("\"learning_rate\":\"fast\"", "'learning_rate' is \"fast\""),
    ("\"learning_rate\":0", "'learning_rate' is 0"), ("\"learning_rate\":5", "'learning_rate' is 5"),
    ("\"l0\":4096", "'l0'"), ("\"l0\":0", "'l0'"), ("\"l0\":0.5,\"objective\":\"topk\"", "'l0'"),
    ("\"bandwidth\":0", "'bandwidth'"), ("\"objective\":\"relu\"", "expected one of jumprelu, batchtopk, topk"),
    ("\"objective\":\"batchtopk\",\"bandwidth\":0.01", "'bandwidth' goes with the objective jumprelu"),
    ("\"threshold\":{\"momentum\":1}", "'threshold.momentum'"), ("\"batch\":0", "'batch'"),
    ("\"batch\":1.5", "'batch'"), ("\"batch\":4096,\"window\":100", "'window'"),
    ("\"matryoshka\":{\"prefixes\":[64,32]}", "'matryoshka.prefixes'"),
    ("\"matryoshka\":{\"prefixes\":[64,4096]}", "'matryoshka.prefixes[1]'"),
    ("\"matryoshka\":{\"prefixes\":[64],\"weights\":[1]}", "'matryoshka.weights'"),
    ("\"matryoshka\":{\"sizes\":[64]}", "'matryoshka.sizes' is no known key"),
    ("\"schedule\":{\"warmup\":{\"steps\":1,\"share\":0.5}}", "'schedule.warmup'"),
    ("\"schedule\":{\"warmup\":{\"share\":0.7},\"decay\":{\"share\":0.7}}", "'schedule'"),
    ("\"initial_l0\":300", "'l0_decay'"), ("\"initial_l0\":10,\"l0_decay\":{\"steps\":5}", "'initial_l0'"),
    ("\"affine\":true", "'affine'"), ("\"adam\":{\"beta1\":1}", "'adam.beta1'"), ("\"seed\":-1", "'seed'"),
    ("\"auxk\":{\"features\":9999}", "'auxk.features'"), ("\"norm_filter\":1", "'norm_filter'"),
    ("\"end_to_end\":{}", "'end_to_end' goes with 'start'"),
    ("\"start\":\"x\",\"end_to_end\":{\"beta\":0}", "'end_to_end.beta' is 0"),
    ("\"start\":\"x\",\"end_to_end\":{\"alpha\":1}", "'end_to_end.alpha' is no known key"),
    ("\"start\":\"x\",\"end_to_end\":{},\"repeats\":2", "'repeats' is 2"),
    ("\"start\":\"x\",\"end_to_end\":{},\"norm_filter\":6", "'norm_filter'"),
    ("\"start\":\"x\",\"end_to_end\":{},\"batch\":512", "'batch' is 512"),
    ("\"bias_rate\":-1", "'bias_rate' is -1"),
    ("\"initialisation\":{\"encoder_bias\":\"centred\"}", "'initialisation.encoder_bias' is centred"),
    ("\"initialisation\":{\"encoder_bias\":\"mean\"}", "expected one of zero, centred"),
    ("\"tokens\":1e30", "'tokens'"), ("\"repeats\":0", "'repeats'"), ("\"context\":1", "'context'"),
  ])
  func badValuesNameTheirKey(part: String, text: String) throws {
    let error = #expect(throws: RecipeError.self) { try self.recipe(self.minimal(part)) }
    #expect("\(String(describing: error))".contains(text), "\(String(describing: error))")
  }

  /// Seeded changes of a full recipe survive being written and read.
  @Test(arguments: 0..<20) func writtenRecipesReadBackEqual(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    var recipe = try recipe(minimal())
    recipe.name = "a \"b\"/ü"
    recipe.objective = [.jumprelu, .batchtopk, .topk][random.int(0...2)]
    recipe.l0 = Double(random.int(1...100)) / (recipe.objective == .jumprelu ? 2 : 1)
    recipe.learningRate = Double(abs(random.float())) * 1e-3 + 1e-9
    if recipe.objective == .jumprelu { recipe.bandwidth = Double(abs(random.float())) * 0.1 + 1e-9 }
    recipe.schedule.decay = .share(Double(abs(random.float())) * 0.5)
    recipe.schedule.warmup = .steps(random.int(0...100))
    recipe.matryoshka = .init(prefixes: [random.int(1...2000), 2048], weights: [0.25, Double(abs(random.float()))])
    recipe.auxK = seed % 2 == 0 ? nil : .init(coefficient: Double(abs(random.float())), features: random.int(1...2048))
    recipe.normFilter = seed % 3 == 0 ? nil : 6.5
    recipe.normLimit = seed % 2 == 0 ? nil : 6
    recipe.initialL0 = seed % 5 == 0 ? nil : 300
    recipe.l0Decay = seed % 5 == 0 ? .none : .share(0.25)
    recipe.tokens = random.int(4096...1_000_000_000)
    recipe.threshold.start = .quantile
    recipe.biasRate = Double(abs(random.float()))
    recipe.initialisation.decoderBias = .mean
    let encoder = JSONEncoder()
    let json = try encoder.encode(recipe)
    #expect(try Recipe(json: Array(json), file: "w.json") == recipe)
  }

  @Test func endToEndGoesWithOneWrittenSite() throws {
    let recipe = try recipe(minimal("\"start\":\"x\",\"end_to_end\":{\"beta\":0.25}"))
    #expect(recipe.endToEnd?.beta == 0.25)
    #expect(try Recipe(json: Array(JSONEncoder().encode(recipe)), file: "w.json") == recipe)
    let error = #expect(throws: RecipeError.self) {
      _ = try self.recipe(
        "{\"schema\":1,\"kind\":\"crosscoder\",\"reads\":[\"resid_post.1\",\"resid_post.2\"],\"width\":99,"
          + "\"start\":\"x\",\"end_to_end\":{}}")
    }
    #expect("\(String(describing: error))".contains("a crosscoder writes several sites"))
  }

  @Test func committedRecipesAreValid() throws {
    for name in ["short-run", "short-run-jumprelu", "gemma-scope-2"] {
      let url = Fixtures.repository.appending(path: "recipes/\(name).json")
      let recipe = try Recipe(contentsOf: url)
      #expect(recipe.tooShort == nil, "\(name)")
    }
    let suite = try SuiteRecipe(
      contentsOf: Fixtures.repository.appending(path: "recipes/suite-270m.json"), layers: 18)
    #expect(suite.recipes.count == 4 + 2 + 18 + 1)
    #expect(suite.recipes.filter { $0.kind == .transcoder && $0.isAffine && $0.width >= 640 }.count == 18)
    #expect(Set(suite.recipes.map(\.window)).count == 1)
    let wide = try SuiteRecipe(
      contentsOf: Fixtures.repository.appending(path: "recipes/suite-270m-wide.json"), layers: 18)
    #expect(wide.recipes.count == 4 + 1 + 2 + 18 + 1)
    #expect(wide.recipes.allSatisfy { $0.matryoshka.prefixes.last == $0.width && $0.tooShort == nil })
    #expect(Set(wide.recipes.filter { $0.kind == .sae }.map(\.width)) == [8192, 16_384])
  }

  @Test func differencesAreNamed() throws {
    let own = try recipe(minimal("\"adam\":{\"beta1\":0.9},\"tokens\":5000"))
    #expect(try own.difference(from: own) == nil)
    var other = own
    other.adam.beta1 = 0.5
    let difference = try #require(try own.difference(from: other))
    #expect(difference.key == "adam.beta1" && difference.own == "0.9" && difference.other == "0.5")
    other = own
    other.normFilter = 6
    let filter = try #require(try own.difference(from: other))
    #expect(filter.key == "norm_filter" && filter.own == "none" && filter.other == "6")
    // As it stands in training.json.
    let directory = try TemporaryDirectory()
    let json = String(decoding: try JSONEncoder().encode(own), as: UTF8.self)
    let file = try directory.write(Array("{\"schema\":1,\"recipe\":\(json)}".utf8), as: "training.json")
    #expect(try Recipe(finished: file) == own)
    let bad = try directory.write(Array("{\"schema\":1}".utf8), as: "bad.json")
    #expect(throws: RecipeError.self) { _ = try Recipe(finished: bad) }
  }

  @Test func theBaseRecipeIsOverridden() throws {
    let text = """
      {"schema":1,"base":{"width":16,"l0":4,"schedule":{"decay":{"share":0.2}}},"common":{"batch":8,"window":64},
      "dictionaries":[{"name":"a/{layer}","layers":[1,2],"reads":"resid_post.{layer}","schedule":{"decay_to":0.5}},
      {"name":"b","reads":"mlp_out.0","width":32}]}
      """
    let suite = try SuiteRecipe(json: Array(text.utf8), file: "s.json", layers: 4)
    #expect(suite.recipes.map(\.name) == ["a/1", "a/2", "b"])
    #expect(suite.recipes.map(\.width) == [16, 16, 32])
    #expect(suite.recipes[1].reads == [.residPost(2)])
    #expect(suite.recipes[0].schedule.decay == .share(0.2) && suite.recipes[0].schedule.decayTo == 0.5)
    #expect(suite.recipes.allSatisfy { $0.batch == 8 })
  }

  @Test(arguments: [
    ("{\"name\":\"x\",\"reads\":\"resid_post.0\",\"seed\":1}", "seed"),
    ("{\"name\":\"../x\",\"reads\":\"resid_post.0\"}", "name"), ("{\"reads\":\"resid_post.0\"}", "name"),
    ("{\"name\":\"x\",\"layers\":[9],\"reads\":\"resid_post.{layer}\"}", "layers"),
    ("{\"name\":\"x\",\"layers\":\"all\",\"reads\":\"resid_post.{layer}\"}", "twice"),
    ("{\"name\":\"x\",\"reads\":\"resid_post.0\",\"wide\":1}", "dictionaries[0].wide"),
    ("{\"name\":\"x\",\"reads\":\"resid_post.0\",\"start\":\"y\",\"end_to_end\":{}}", "end_to_end"),
  ])
  func badSuitesNameTheirEntry(entry: String, key: String) throws {
    let text = "{\"schema\":1,\"base\":{\"width\":16,\"l0\":4},\"dictionaries\":[\(entry)]}"
    let error = #expect(throws: RecipeError.self) {
      _ = try SuiteRecipe(json: Array(text.utf8), file: "s.json", layers: 4)
    }
    #expect("\(String(describing: error))".contains(key), "\(String(describing: error))")
  }
}
