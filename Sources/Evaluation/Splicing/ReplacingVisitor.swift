public import Gemma
public import Sites
public import Tensors

/// Puts given activations in the place of sites' own, at some rows.
public struct ReplacingVisitor: SiteVisitor {
  /// For each site [rows of the pass, width of the site].
  private let values: [Site: Tensor]
  private let rows: [Int]
  private let backend: any Backend

  /// - Parameters:
  ///   - values: what to put in, for each site [rows of the pass, width of the site].
  ///   - rows: which of these rows to put in.
  public init(_ values: [Site: Tensor], rows: [Int], backend: any Backend) {
    self.values = values
    self.rows = rows
    self.backend = backend
  }

  public func visits(_ site: Site) -> Bool { values[site] != nil }

  public func visit(_ site: Site, _ x: Tensor, rows _: RowLayout) throws -> Tensor {
    guard let new = values[site] else { return x }
    guard x.shape == new.shape else {
      throw TensorError.shape(operation: "replace \(site)", expected: "\(x.shape)", found: "\(new.shape)")
    }
    return try backend.replacing(x, rows: rows, with: backend.select(new, rows: rows))
  }
}
