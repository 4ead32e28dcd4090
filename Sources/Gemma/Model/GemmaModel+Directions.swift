public import Sites
public import Tensors

/// How what stands at a site reaches the final logits, with the denominators of all norms held constant.
extension GemmaModel {
  /// What rows of `site` add to the residual stream: [n, width of the site] → [n, width].
  ///
  /// At `embed`, `mlp_out` and `resid_post` the rows themselves. At `attn_out`, whose rows are concatenated heads,
  /// `(rows · W_Oᵀ) ∘ g`, with g the gain (1 + w) of the norm after attention; the sum that reaches the stream at a
  /// token is this divided by `attentionOutputScales` there.
  /// - Throws: `GemmaError.input` for `mlp_in`, which is read and not added, and rows of another width; `SiteError`.
  public func residualDirections(of site: Site, _ rows: Tensor) throws -> Tensor {
    try shape.validate(site)
    guard rows.shape.count == 2, rows.shape[1] == shape.width(of: site) else {
      throw GemmaError.input("rows of \(site) have \(shape.width(of: site)) numbers, found shape \(rows.shape)")
    }
    switch site.kind {
    case .embed, .mlpOut, .residPost: return rows
    case .mlpIn: throw GemmaError.input("\(site) is what the MLP reads; nothing written there is added to the stream")
    case .attnOut:
      let layer = weights.layers[site.layer]
      let gain = try layer.postAttentionGain.read()
      var values = try backend.linear(rows, layer.output).read()
      for i in values.indices { values[i] *= gain[i % gain.count] }
      return try backend.tensor(values, shape: [rows.shape[0], configuration.width])
    }
  }

  /// √(mean(o²) + ε) of what each row of heads becomes after the output projection, o = heads · W_Oᵀ: the denominator
  /// of the norm after attention.
  /// - Parameter heads: activations at `attn_out` of `layer`, [n, heads · head_dim].
  /// - Throws: `SiteError` for a layer that the model lacks, `TensorError`.
  public func attentionOutputScales(layer: Int, heads: Tensor) throws -> [Float] {
    try shape.validate(.attnOut(layer))
    return try rootMeanSquares(try backend.linear(heads, weights.layers[layer].output))
  }

  /// √(mean(x²) + ε) of rows of the final residual stream: the denominator of the final norm.
  /// - Throws: the device's error.
  public func finalNormScales(_ residual: Tensor) throws -> [Float] { try rootMeanSquares(residual) }

  private func rootMeanSquares(_ x: Tensor) throws -> [Float] {
    let values = try x.read()
    let width = max(x.rowLength, 1)
    return (0..<x.rows).map { row in
      let sum = values[row * width..<(row + 1) * width].reduce(0.0) { $0 + Double($1) * Double($1) }
      return Float((sum / Double(width) + Double(configuration.normEpsilon)).squareRoot())
    }
  }
}
