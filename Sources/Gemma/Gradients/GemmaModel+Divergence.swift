public import Tensors

extension GemmaModel {
  /// Σ KL(p ‖ q) over some rows, in nats: p the next-token distribution of the model as it is, q that of a changed run;
  /// and its gradient by the final residual stream of the changed run.
  ///
  /// Through the logits the gradient of one row is (q − p)·head, then back through the final norm, without approximation.
  /// - Parameters:
  ///   - changed: the final residual stream (before the last norm) of the changed run, [n, width].
  ///   - clean: the same of the run as it is.
  ///   - rows: the rows that count, of the n.
  /// - Returns: the gradient is [n, width], zero in other rows.
  /// - Throws: `TensorError`, and what `check`, called between pieces, throws.
  public func divergence(
    of changed: Tensor, from clean: Tensor, rows: [Int], check: CancellationCheck = {}
  ) throws -> (sum: Double, gradient: Tensor) {
    var sum = 0.0
    var gradients: [Tensor] = []
    for start in stride(from: 0, to: rows.count, by: rowsUnembeddedAtOnce) {
      try check()
      let piece = Array(rows[start..<min(start + rowsUnembeddedAtOnce, rows.count)])
      let x = try backend.select(changed, rows: piece)
      let (values, gradient) = try backend.divergence(
        unembed(backend.select(clean, rows: piece)), unembed(x))
      sum += values.reduce(0, +)
      let normed = try backend.matmul(gradient, weights.head)
      let residual = try backend.rmsNormVJP(
        normed.reshaped([1, piece.count, configuration.width]), x: x, gain: weights.finalGain,
        epsilon: configuration.normEpsilon, mode: .exact)
      gradients.append(try residual.reshaped([piece.count, configuration.width]))
    }
    let zeros = try backend.tensor([Float](repeating: 0, count: changed.count), shape: changed.shape)
    guard !gradients.isEmpty else { return (sum, zeros) }
    return (sum, try backend.replacing(zeros, rows: rows, with: backend.concatenate(gradients)))
  }
}
