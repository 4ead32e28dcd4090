import ArgumentParser
import Gemma
import Sites
import Tensors

struct HarvestBench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "harvest",
    abstract: "Tokens/s of capturing one site for a batch, stopping after it, alone and with dictionaries encoded.")

  @OptionGroup var options: BenchOptions
  @OptionGroup var model: ModelBenchOptions
  @Option(help: "The residual stream after this layer.") var layer = 9
  @Option(help: "Sequences at once.") var sequences = 8
  @Option(help: "Tokens in each.") var tokens = 256
  @Option(help: "Random dictionaries (L0 near 60) to encode in the same pass.") var dictionaries = 0
  @Option(help: "Their features.") var width = 2048

  func run() throws {
    let model = try model.load(options)
    let batch = (0..<sequences).map { i in ModelBenchOptions.tokens(tokens).map { $0 == 2 ? 2 : $0 + Int32(i) } }
    let site = Site.residPost(layer)
    let count = Double(sequences * tokens)
    let alone = try Measure.median(repeats: options.repeats) {
      _ = try model.forward(batch, capture: [site], logits: .none)
    }
    var values = ["tokens_per_second": count / alone]
    if dictionaries > 0 {
      let encoders = try RandomEncoders(
        dictionaries, width: width, upTo: layer, model: model, sample: batch)
      let together = try Measure.median(repeats: options.repeats) {
        encoders.active = 0
        _ = try model.forward(batch, capture: [site], logits: .none, visitor: encoders)
      }
      values["dictionaries_tokens_per_second"] = count / together
      values["added_share"] = together / alone - 1
      values["l0"] = Double(encoders.active) / count / Double(dictionaries)
    }
    try options.report(values)
  }
}

/// JumpReLU encoders of random weights at several sites, which code what passes by.
private final class RandomEncoders: SiteVisitor {
  private struct Encoder {
    let weight: Tensor
    let bias: Tensor
    let threshold: Tensor
  }

  private static let l0 = 60

  private let backend: any Backend
  private var encoders: [Site: Encoder] = [:]
  /// Active features so far.
  var active = 0

  /// `count` encoders: at the residual streams up to `layer`, then at the MLP and attention outputs, last layers first.
  /// Thresholds are such that 60 features are on in a row of `sample`, each about as often as the others.
  init(_ count: Int, width: Int, upTo layer: Int, model: GemmaModel, sample: [[Int32]]) throws {
    backend = model.backend
    let others = (0...layer).reversed().flatMap { [Site.mlpOut($0), .attnOut($0)] }
    let sites = ((0...layer).map { Site.residPost($0) } + others).prefix(count)
    guard width > Self.l0 else { throw ValidationError("--width is \(width); expected more than \(Self.l0).") }
    guard sites.count == count else {
      throw ValidationError("--dictionaries is \(count); layer \(layer) allows \(3 * (layer + 1)).")
    }
    let activations = try model.forward(sample, capture: Set(sites), logits: .none).activations
    for (place, site) in sites.enumerated() {
      guard let x = activations[site] else { continue }
      let weight = try Tensor(
        noise(x.rowLength * width, seed: UInt64(place + 1)), shape: [x.rowLength, width])
      let rows = stride(from: 1, to: x.rows, by: max(1, x.rows / 256)).map { $0 }
      let before = try backend.matmul(backend.select(x, rows: rows), weight).read()
      let kept = max(1, rows.count * Self.l0 / width)
      let threshold = (0..<width).map { feature in
        rows.indices.map { before[$0 * width + feature] }.sorted(by: >)[min(kept, rows.count - 1)]
      }
      encoders[site] = Encoder(
        weight: weight, bias: try Tensor([Float](repeating: 0, count: width), shape: [width]),
        threshold: try Tensor(threshold, shape: [width]))
    }
  }

  func visits(_ site: Site) -> Bool { encoders[site] != nil }

  func visit(_ site: Site, _ x: Tensor, rows: RowLayout) throws -> Tensor {
    guard let encoder = encoders[site] else { return x }
    active += try backend.encode(x, weight: encoder.weight, bias: encoder.bias, threshold: encoder.threshold).count
    return x
  }
}
