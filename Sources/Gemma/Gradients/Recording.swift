import Sites
import Tensors

/// What a forward pass leaves behind for gradients: the residual stream before each block. The rest is recomputed block
/// by block, so memory stays at tokens × width × layers.
public struct Recording: Sendable {
  /// The recorded sequence.
  public let tokens: [Int32]
  /// The residual stream entering each block, and after the last one: layers + 1 tensors [n, width].
  let streams: [Tensor]
  let globalAngles: RotaryAngles
  let localAngles: RotaryAngles
}

extension GemmaModel {
  /// Runs one sequence and keeps what `gradients` needs.
  /// - Throws: as `forward`.
  public func record(_ tokens: [Int32], check: CancellationCheck = {}) throws -> Recording {
    let residuals = (0..<configuration.layers).map { Site.residPost($0) }
    let result = try forward([tokens], capture: Set(residuals + [.embed]), logits: .none, check: check)
    let streams = try ([.embed] + residuals).map { site in
      guard let stream = result.activations[site] else { throw GemmaError.gradient("the pass left no \(site)") }
      return stream
    }
    return Recording(
      tokens: tokens, streams: streams,
      globalAngles: try globalRotary.angles(result.rows.positions, backend: backend),
      localAngles: try localRotary.angles(result.rows.positions, backend: backend))
  }
}
