import Gemma
import Sites
import Tensors

/// Puts given activations in the place of a site's own, at some rows.
struct ReplacingVisitor: SiteVisitor {
  let site: Site
  /// [rows of the pass, width of the site]
  let values: Tensor
  /// Which of them to put in.
  let rows: [Int]
  let backend: any Backend

  func visits(_ site: Site) -> Bool { site == self.site }

  func visit(_ site: Site, _ x: Tensor, rows _: RowLayout) throws -> Tensor {
    guard x.shape == values.shape else {
      throw TensorError.shape(operation: "replace \(site)", expected: "\(x.shape)", found: "\(values.shape)")
    }
    return try backend.replacing(x, rows: rows, with: backend.select(values, rows: rows))
  }
}
