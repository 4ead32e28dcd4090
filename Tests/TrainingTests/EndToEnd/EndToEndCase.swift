import Checkpoints
import Dictionaries
import Gemma
import Sites
import Tensors
import TestSupport
import Training

/// A case of the fp64 twin of a dictionary inside the tiny model (Tools/make_end_to_end_fixtures.py).
struct EndToEndCase {
  static let names = ["sae-jumprelu", "sae-attn-batchtopk", "sae-mlp-in-topk", "transcoder-affine-jumprelu"]

  let twin: TwinCase
  let settings: StepSettings
  let model: GemmaModel
  let loss: PredictionLoss
  let batch: TrainingBatch

  init(_ name: String, threads: Int = 2) throws {
    let twin = try TwinCase("end-to-end/\(name)")
    self.twin = twin
    func text(_ key: String) throws -> String {
      guard let value = twin.file.metadata[key] else { throw TwinCase.Fault.setting(key) }
      return value
    }
    var settings = twin.settings
    settings.endToEnd = Float(try text("beta")) ?? 0
    self.settings = settings
    let (read, write) = (try Site(text("read")), try Site(text("write")))
    let model = try GemmaModel(contentsOf: Fixtures.url("gemma/causal"), backend: NativeBackend(threads: threads))
    self.model = model
    loss = PredictionLoss(model, site: write)
    var rows: [Site: [Tensor]] = [:]
    for index in 0..<2 {
      let tokens = try twin.file.tensor("tokens.\(index)").readIntegers().map { Int32($0) }
      let counted = Array(1..<tokens.count)
      let result = try model.forward([tokens], capture: [read, write], logits: .residual)
      guard let residual = result.residual else { throw TwinCase.Fault.setting("residual") }
      loss.passes.append(.init(tokens: tokens, rows: counted, residual: residual))
      for (site, tensor) in result.activations {
        rows[site, default: []].append(try model.backend.select(tensor, rows: counted))
      }
    }
    batch = TrainingBatch(
      inputs: [try model.backend.concatenate(rows[read] ?? [])],
      targets: [try model.backend.concatenate(rows[write] ?? [])])
  }

  func state() throws -> TrainingState {
    let state = try TrainingState(
      shape: twin.shape, objective: twin.objective, normalisation: twin.normalisation, adam: twin.adam,
      backend: model.backend)
    try state.restore([twin.file])
    return state
  }
}
