import Dictionaries
import Foundation
import Gemma
import Sites
import TestSupport
import Testing
import Training

/// Numbers of this file were worked out from the published shapes and sizes, not with the code under test.
@Suite struct PlanTests {
  private static func model(_ name: String) throws -> PlannedModel {
    try #require(PlannedModel.sizes.first { $0.name == name })
  }

  @Test(arguments: ["270m", "1b", "4b", "12b", "27b"]) func sizesAreThoseOfTheConfigurations(name: String) throws {
    let json = try Array(Data(contentsOf: Fixtures.url("gemma/configs/\(name).json")))
    let configuration = try GemmaConfiguration(huggingFace: json, file: name)
    let model = try Self.model(name)
    let read = PlannedModel(name: name, configuration)
    #expect(read.layers == model.layers && read.width == model.width && read.attentionWidth == model.attentionWidth)
    #expect(read.feedForward == model.feedForward && read.globalLayers == model.globalLayers)
    #expect(read.slidingWindow == model.slidingWindow && read.keyValueHeads == model.keyValueHeads)
    #expect(model.parameterCount == configuration.parameterCount || read.vocabularySize != model.vocabularySize)
  }

  @Test func deepLayers() throws {
    let expected = [
      "270m": [5, 9, 12, 15], "1b": [7, 13, 17, 22], "4b": [9, 17, 22, 29], "12b": [12, 24, 31, 41],
      "27b": [16, 31, 40, 53],
    ]
    for (name, layers) in expected { #expect(try Self.model(name).deepLayers == layers) }
  }

  /// Published files (bytes are given to four figures) and shapes.
  @Test func filesHaveTheirPublishedSizes() throws {
    let four = try Self.model("4b")
    let one = try Self.model("1b")
    func first(
      _ model: PlannedModel, _ kind: DictionaryKind, _ site: Site.Kind, _ width: Int, _ layers: [Int],
      affine: Bool = false
    ) throws -> PlannedDictionary {
      try #require(
        DictionaryGrid(kinds: [kind], saeSites: [site], layers: layers, widths: [width], l0s: [50], isAffine: affine)
          .dictionaries(model).first)
    }
    // w_enc and w_dec 2 · 2560 · 16384, b_enc and threshold 2 · 16384, b_dec 2560.
    let resid = try first(four, .sae, .residPost, 16384, [17])
    #expect(resid.storedParameters == 83_921_408)
    #expect(resid.fileBytes == 335_685_632)
    #expect(try first(four, .sae, .residPost, 262_144, [17]).fileBytes / 100_000 == 53_708)
    #expect(try first(one, .sae, .attnOut, 16384, [7]).fileBytes / 1_000_000 == 134)
    #expect(try first(one, .sae, .mlpOut, 16384, [7]).fileBytes / 1_000_000 == 151)
    // Four files of 1.51 GB, 65,536 features each.
    let crosscoder = try first(one, .crosscoder, .residPost, 262_144, one.deepLayers)
    #expect(crosscoder.width == 65_536 && crosscoder.reads.count == 4)
    #expect(crosscoder.fileBytes / 4 / 10_000_000 == 151)
    // 26 files of 10,080 features: 1152·10080 + 2·10080 + 10080·26·1152 + 1152 + 1152² = 314,876,736 numbers each.
    let clt = try first(one, .clt, .residPost, 262_144, Array(0..<26), affine: true)
    #expect(clt.width == 10_080 && clt.totalWidth == 262_080)
    #expect(clt.storedParameters == 26 * 314_876_736)
    // Trained: decoders of layer i write 26 − i layers: 351 pairs of layers.
    #expect(clt.trainedParameters == 26 * (314_876_736 - 10_080 * 26 * 1152) + 351 * 10_080 * 1152)
    let small = try Self.model("270m")
    #expect(try first(small, .clt, .residPost, 262_144, Array(0..<18)).width == 14_560)
    #expect(try first(small, .clt, .residPost, 524_288, Array(0..<18)).width == 29_120)
    #expect(try first(one, .clt, .residPost, 524_288, Array(0..<26)).width == 20_160)
  }

  /// Counts and parameters of the published grid, added up separately from its table: for each size and variant
  /// layers · 2 L0s · 2 widths · (resid, mlp_out, attn_out, transcoder, affine), then 12 + 1 residual, 9 + 9 output SAEs and
  /// 18 transcoders at four layers, 8 crosscoders, and 8 cross-layer transcoders for the two smallest.
  @Test func publishedGrid() throws {
    let expected = [
      "270m": (572, 169_580_052_992, 211_968.0), "1b": (732, 361_322_316_288, 465_920),
      "4b": (884, 686_777_835_520, 1_323_008), "12b": (1164, 1_382_495_322_112, 2_998_272),
      "27b": (1444, 2_237_087_539_200, 5_015_552),
    ]
    let published = PublishedPlan(PlannedModel.sizes, machine: .eightH100)
    for row in published.rows {
      let numbers = try #require(expected[row.model.name])
      #expect(row.dictionaries == numbers.0, "\(row.model.name)")
      #expect(row.storedParameters == numbers.1, "\(row.model.name)")
      // fp32: 4 · layers · (3 · d_model + heads · head_dim).
      #expect(row.activationBytes == numbers.2, "\(row.model.name)")
    }
    #expect(published.dictionaries == 9592)
    #expect(published.storedParameters == 9_674_526_132_224)
    #expect(Double(published.storedParameters) > PublishedGrid.announcedParameters)
    // 110e15 / 10,014,720 and half of it.
    #expect(abs(published.impliedTokens(bytes: 4, variants: 1) - 10_983_831_799.59) < 1)
    #expect(abs(published.impliedTokens(bytes: 4, variants: 2) - 5_491_915_899.8) < 1)
    #expect(abs(published.impliedTokens(bytes: 2, variants: 2) - 10_983_831_799.59) < 1)
  }

  @Test func modelFlops() throws {
    // Per block 2 · (640·256·10 + 3·640·2048) and 4·1024 · mean visible positions (384.25 local, 512.5 in layer 5).
    #expect(try Self.model("270m").flops(throughLayer: 9, context: 1024) == 127_675_392)
    #expect(try Self.model("27b").flops(throughLayer: 61, context: 1024) == 51_717_324_800)
    // A window longer than the text hides nothing.
    let short = try Self.model("270m").flops(throughLayer: 0, context: 100)
    #expect(short == Double(2 * (640 * 256 * 10 + 3 * 640 * 2048)) + 4 * 1024 * 50.5)
  }

  @Test func trainingFlops() throws {
    let sae = PlannedDictionary(
      kind: .sae, reads: [.residPost(9)], writes: [.residPost(9)], width: 16_384, inputWidth: 640, outputWidth: 640,
      l0: 60)
    #expect(sae.denseFlops == 10 * 640 * 16_384)
    #expect(sae.encoderFlops == 2 * 640 * 16_384)
    #expect(abs(sae.pairFlops - 66 * 8 * 640) < 1e-6)
    // Sparse training takes about a fifth of dense operations.
    #expect((sae.encoderFlops + sae.pairFlops) / sae.denseFlops < 0.21)
    #expect(sae.stateBytes == 8 * sae.storedParameters)
    #expect(sae.stateBytes(ranks: 1) == sae.stateBytes)
    // One of 3 ranks: 5,462 features.
    #expect(sae.stateBytes(ranks: 3) == 8 * (5462 * (640 + 2 + 640) + 640))
    // Half of the planes' sums out and half in: 2 · (R − 1)/R.
    #expect(sae.exchangedBytes(batch: 4096, prefixes: 5, ranks: 2) == 4096 * (5 * 640 + 1) * 4)
    #expect(sae.exchangedBytes(batch: 4096, prefixes: 5, ranks: 1) == 0)
    #expect(sae.touchedParameters(batch: 4096) == 16_384 * 1280)
    #expect(sae.touchedParameters(batch: 10) == 600 * 1280)
  }

  /// Hours by hand for one SAE on a machine with round numbers.
  @Test func hours() throws {
    let machine = PlannedMachine(
      name: "round", isGPU: false, ranks: 2, peak: 1e12, memory: 1e12, bandwidth: 1e11, link: 1e10)
    let model = try Self.model("270m")
    let grid = DictionaryGrid(kinds: [.sae], layers: [9], widths: [16_384], l0s: [60])
    let tokens = 1e9
    let plan = TrainingPlan(model: model, machine: machine, dictionaries: grid.dictionaries(model).map { ($0, tokens) })
    let hours = plan.hours
    func expect(_ found: Double, _ seconds: Double, _ what: Comment) {
      #expect(abs(found * 3600 - seconds) <= 1e-9 * seconds, what)
    }
    expect(hours.model, tokens * 127_675_392 / (0.8 * 1e12 * 2), "model")
    expect(hours.encoder, tokens * 2 * 640 * 16_384 / (0.8 * 1e12 * 2), "encoder")
    expect(hours.pairs, tokens * 66 * 8 * 640 * 2 / (1e11 * 2), "pairs")
    expect(hours.optimiser, tokens / 4096 * 16_384 * 1280 * 16 / (1e11 * 2), "optimiser")
    // One dictionary over both ranks.
    expect(hours.exchange, tokens / 4096 * 4096 * (5 * 640 + 1) * 4 / 1e10, "exchange")
    #expect(plan.group(plan.dictionaries[0].dictionary) == 2)
    #expect(plan.tokens == tokens)
    #expect(plan.storedBytesPerToken(bytes: 4, perToken: 0) == 2560)
    #expect(plan.storedBytesPerToken(bytes: 1, perToken: 4) == 644)

    // A measured rate is what products reach, and no share is taken of it again.
    var measured = machine
    measured.measured = [.peak]
    let again = TrainingPlan(model: model, machine: measured, dictionaries: plan.dictionaries).hours
    expect(again.model, tokens * 127_675_392 / (1e12 * 2), "model, measured")
    expect(again.encoder, tokens * 2 * 640 * 16_384 / (1e12 * 2), "encoder, measured")
    expect(again.pairs, hours.pairs * 3600, "pairs, measured")
  }

  @Test func dictionariesTooLargeForOneRankAreDealtOut() throws {
    let model = try Self.model("27b")
    let wide = DictionaryGrid(kinds: [.sae], layers: [31], widths: [1 << 20], l0s: [60])
    let plan = TrainingPlan(model: model, machine: .eightH100, dictionaries: wide.dictionaries(model).map { ($0, 8e9) })
    let dictionary = try #require(plan.largest)
    // 11.3 billion parameters with second moments: 90 GB.
    #expect(dictionary.stateBytes / 1_000_000_000 == 90)
    #expect(plan.ranksNeeded(dictionary) == 2)
    #expect(plan.memory(dictionary, ranks: 2) < plan.memory(dictionary, ranks: 1))
    var one = PlannedMachine.h100
    one.ranks = 1
    let alone = TrainingPlan(model: model, machine: one, dictionaries: plan.dictionaries)
    #expect(alone.group(dictionary) == nil)
  }
}
