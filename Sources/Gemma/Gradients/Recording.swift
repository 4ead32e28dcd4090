import Sites
public import Tensors

/// What a forward pass leaves behind for gradients: the residual stream before each block. The rest is recomputed block
/// by block, so memory stays at tokens × width × layers.
public struct Recording: Sendable {
  /// The recorded sequence.
  public let tokens: [Int32]
  /// The residual stream entering each block, and after the last one: layers + 1 tensors [n, width].
  let streams: [Tensor]
  let globalAngles: RotaryAngles
  let localAngles: RotaryAngles
  /// What a visitor put in place of values inside blocks, which are otherwise recomputed.
  let replaced: [Site: Tensor]

  /// The residual stream after the last block, before the final norm: [n, width].
  public var finalResidual: Tensor? { streams.last }
}

extension GemmaModel {
  /// Runs one sequence and keeps what `gradients` needs.
  /// - Parameter visitor: changes activations on the way. Gradients at a site that it changes are those by the new
  ///   values; before it in the model they are as though new values depended on old ones with slope 1.
  /// - Throws: as `forward`.
  public func record(_ tokens: [Int32], visitor: (any SiteVisitor)? = nil, check: CancellationCheck = {}) throws
    -> Recording
  {
    let residuals = (0..<configuration.layers).map { Site.residPost($0) }
    let inner = (0..<configuration.layers).flatMap { [Site.attnOut($0), .mlpIn($0)] }
      .filter { visitor?.visits($0) == true }
    let result = try forward(
      [tokens], capture: Set(residuals + [.embed] + inner), logits: .none, visitor: visitor, check: check)
    let streams = try ([.embed] + residuals).map { site in
      guard let stream = result.activations[site] else { throw GemmaError.gradient("the pass left no \(site)") }
      return stream
    }
    return Recording(
      tokens: tokens, streams: streams,
      globalAngles: try globalRotary.angles(result.rows.positions, backend: backend),
      localAngles: try localRotary.angles(result.rows.positions, backend: backend),
      replaced: result.activations.filter { inner.contains($0.key) })
  }
}
