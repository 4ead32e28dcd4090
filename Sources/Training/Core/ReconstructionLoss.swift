public import Tensors

/// What a reconstruction costs beyond its distance from the target: for end-to-end training, how far the model's
/// predictions move when it is put in the place of the activations.
public protocol ReconstructionLoss: AnyObject {
  /// - Parameter reconstruction: what the whole dictionary makes of the batch, [tokens, columns of all targets], in the
  ///   units of the activations.
  /// - Returns: a loss and its gradient by the reconstruction, of the same shape.
  func evaluate(_ reconstruction: Tensor) throws -> (value: Double, gradient: Tensor)
}

extension TrainingStep {
  /// Blends a loss on the reconstruction into what `losses` found:
  ///
  ///     L = (MSE + α·β·KL) / (1 + β),   α = MSE / (KL + 1e-8), held constant
  ///
  /// (Gemma Scope 2 technical paper, section 2.4). MSE is the reconstruction loss of all Matryoshka prefixes with their
  /// weights, in normalised units; KL sees the whole dictionary. The planes then hold the gradient of L.
  func blend(_ loss: any ReconstructionLoss, into report: inout StepReport) throws {
    let reconstruction = try reconstruction()
    let (value, gradient) = try loss.evaluate(reconstruction)
    guard gradient.shape == reconstruction.shape, gradient.dtype == .f32, let bytes = gradient.hostBytes else {
      throw TrainingError.batch(expected: "a gradient f32 \(reconstruction.shape)", found: "\(gradient)")
    }
    let kl = max(value, 0)
    let beta = Double(settings.endToEnd)
    let alpha = report.loss / (kl + 1e-8)
    report.kl = value.isFinite ? kl : value
    report.loss = (report.loss + alpha * beta * (value.isFinite ? kl : .nan)) / (1 + beta)

    let kept = Float(1 / (1 + beta))
    let factors = state.normalisation.targets.map { Float(alpha * beta / (1 + beta) * Double($0)) }
    let columns = shape.totalOutputWidth
    withExtendedLifetime(gradient) {
      let slopes = bytes.bindMemory(to: Float.self)
      for group in 0..<memory.planes.groups {
        let plane = UnsafeMutableBufferPointer(start: memory.planes.plane(group), count: tokens * columns)
        for (write, factor) in factors.enumerated() {
          for token in 0..<tokens {
            let start = token * columns + write * shape.outputWidth
            for j in start..<start + shape.outputWidth { plane[j] = plane[j] * kept + slopes[j] * factor }
          }
        }
      }
    }
  }

  /// x̂ in the units of the activations, from the residual that `losses` left.
  private func reconstruction() throws -> Tensor {
    guard let residual = memory.residual else { throw TrainingError.backend("a step that keeps no residual") }
    let columns = shape.totalOutputWidth
    var values = [Float](repeating: 0, count: tokens * columns)
    for (write, target) in batch.targets.enumerated() {
      let scale = state.normalisation.targets[write]
      guard let bytes = target.hostBytes else { throw TrainingError.backend("another device's memory") }
      withExtendedLifetime(target) {
        let y = bytes.bindMemory(to: Float.self)
        for token in 0..<tokens {
          let start = token * columns + write * shape.outputWidth
          for j in 0..<shape.outputWidth {
            values[start + j] = y[token * shape.outputWidth + j] - scale * residual[start + j]
          }
        }
      }
    }
    return try Tensor(values, shape: [tokens, columns])
  }
}
