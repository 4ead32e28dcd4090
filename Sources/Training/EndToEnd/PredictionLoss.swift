package import Gemma
package import Sites
package import Tensors

/// How far the model's predictions move when a reconstruction stands in the place of a site's activations.
package final class PredictionLoss: ReconstructionLoss {
  /// One sequence, run as it is.
  package struct Pass {
    let tokens: [Int32]
    /// Positions that are replaced, and whose predictions count.
    let rows: [Int]
    /// The final residual stream of the model as it is, [tokens, width].
    let residual: Tensor

    package init(tokens: [Int32], rows: [Int], residual: Tensor) {
      self.tokens = tokens
      self.rows = rows
      self.residual = residual
    }
  }

  /// The sequences of the batch; rows of a reconstruction are theirs one after another.
  package var passes: [Pass] = []
  private let model: GemmaModel
  private let site: Site
  private let check: CancellationCheck

  package init(_ model: GemmaModel, site: Site, check: @escaping CancellationCheck = {}) {
    self.model = model
    self.site = site
    self.check = check
  }

  /// KL(p ‖ p̂) in nats, the mean over all rows, of next-token distributions without and with the reconstruction in
  /// place, and its exact gradient.
  /// - Throws: `TrainingError.batch` for a reconstruction of another number of rows; what the model throws.
  package func evaluate(_ reconstruction: Tensor) throws -> (value: Double, gradient: Tensor) {
    let count = passes.reduce(0) { $0 + $1.rows.count }
    guard reconstruction.shape == [count, model.shape.width(of: site)] else {
      throw TrainingError.batch(
        expected: "a reconstruction of the last window, \(count) rows", found: "\(reconstruction)")
    }
    var (sum, start) = (0.0, 0)
    var gradient: [Float] = []
    gradient.reserveCapacity(reconstruction.count)
    for pass in passes {
      let splice = Splice(
        site: site, rows: pass.rows, values: try reconstruction.rows(start..<start + pass.rows.count),
        backend: model.backend)
      let recording = try model.record(pass.tokens, visitor: splice, check: check)
      guard let changed = recording.finalResidual else { throw GemmaError.input("the model gave no residual stream") }
      let (kl, slope) = try model.divergence(of: changed, from: pass.residual, rows: pass.rows, check: check)
      let atSite = try model.gradient(throughFinalResidual: slope, in: recording, at: site, check: check)
      gradient += try model.backend.select(atSite, rows: pass.rows).read().map { $0 / Float(count) }
      sum += kl
      start += pass.rows.count
    }
    return (sum / Double(max(count, 1)), try model.backend.tensor(gradient, shape: reconstruction.shape))
  }

  /// Puts rows of a reconstruction in the place of a site's own.
  private struct Splice: SiteVisitor {
    let site: Site
    let rows: [Int]
    /// [rows.count, width of the site].
    let values: Tensor
    let backend: any Backend

    func visits(_ site: Site) -> Bool { site == self.site }

    func visit(_ site: Site, _ x: Tensor, rows _: RowLayout) throws -> Tensor {
      try backend.replacing(x, rows: rows, with: values)
    }
  }
}
