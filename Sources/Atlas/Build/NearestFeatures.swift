import Dictionaries
import Gemma
import Sites
import Tensors

/// The features whose directions point most alike.
struct NearestFeatures {
  struct Neighbour: Equatable {
    /// Place among the features that were searched.
    let feature: Int
    /// Cosine.
    let value: Float
  }

  static let limit = 10
  /// Of one other dictionary at most so many.
  static let perDictionary = 2
  private static let block = 256

  /// For each row of `rows` the `limit` rows of `others` with the largest dot product, equal ones by index.
  /// - Parameters:
  ///   - rows, others: unit rows of equal width; where a row is zero there is nothing to compare.
  ///   - own: when the rows are among `others`, at the same places.
  static func find(
    _ rows: Tensor, in others: Tensor, limit: Int, own: Bool, backend: any Backend, check: CancellationCheck
  ) throws -> [[Neighbour]] {
    var found: [[Neighbour]] = []
    let count = min(limit + (own ? 1 : 0), others.rows)
    for start in stride(from: 0, to: rows.rows, by: block) {
      try check()
      let part = try rows.rows(start..<min(start + block, rows.rows))
      let best = try backend.topK(backend.linear(part, others), count)
      for (place, row) in best.enumerated() {
        let others = row.filter { !own || $0.index != start + place }
        found.append(others.prefix(limit).map { Neighbour(feature: $0.index, value: $0.value) })
      }
    }
    return found
  }
}
