public import Sites

/// A direction at the output of a gradient: a weighted sum of logits, or a vector at a site.
///
/// `GemmaModel.gradients` returns d(⟨cotangent, output⟩) / d(activations).
public struct Cotangent: Sendable {
  enum Target: Sendable {
    case logits(tokens: [Int32], weights: [Float])
    case allLogits([Float])
    case site(Site, [Float])
  }

  let position: Int
  let target: Target

  /// Σ weights[i] · logit(tokens[i]) at `position`: `[1]` for one logit, `[1, -1]` for a difference.
  public static func logits(_ tokens: [Int32], weights: [Float], position: Int) -> Cotangent {
    Cotangent(position: position, target: .logits(tokens: tokens, weights: weights))
  }

  /// Σ over the whole vocabulary, for scalars such as a log-probability (one-hot minus softmax). Costs a
  /// vocabulary-wide product.
  public static func allLogits(_ weights: [Float], position: Int) -> Cotangent {
    Cotangent(position: position, target: .allLogits(weights))
  }

  /// ⟨vector, activations at `site`⟩ at `position`.
  public static func site(_ site: Site, _ vector: [Float], position: Int) -> Cotangent {
    Cotangent(position: position, target: .site(site, vector))
  }
}

/// Whether a gradient goes through the MLPs.
public enum MLPGradient: String, Sendable {
  /// Differentiated like everything else.
  case through
  /// MLP outputs are held constant, as in replacement models whose MLPs stand outside the graph.
  case blocked
}
