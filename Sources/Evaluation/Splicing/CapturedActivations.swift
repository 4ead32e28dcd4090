public import Sites
public import Tensors

/// Activations that a pass captured, by site.
public struct CapturedActivations: Sendable {
  private let tensors: [Site: Tensor]

  public init(_ tensors: [Site: Tensor]) { self.tensors = tensors }

  /// Those at `site`, [rows, width].
  /// - Throws: `EvaluationError.missing`.
  public func at(_ site: Site) throws -> Tensor {
    guard let tensor = tensors[site] else { throw EvaluationError.missing(what: "activations at \(site)") }
    return tensor
  }

  /// Those at several sites, in their order.
  /// - Throws: `EvaluationError.missing`.
  public func at(_ sites: [Site]) throws -> [Tensor] { try sites.map { try at($0) } }
}
