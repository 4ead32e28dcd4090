/// Sparse dictionary operations.
public protocol SparseOps: Sendable {
  /// JumpReLU encoder (Rajamanoharan et al. 2024, "Jumping Ahead", section 3): `z = x W + bias`, kept where `z >
  /// threshold` and `z > 0`. x [n, d] with d > 0, weight [d, width], bias and threshold [width] → a code of n rows. A
  /// `z` that is NaN is dropped. Never forms [n, width].
  func encode(_ x: Tensor, weight: Tensor, bias: Tensor, threshold: Tensor) throws -> SparseCode
  /// The same with the weight feature by feature: `z = x rowsᵀ + bias`, rows [width, d] in any stored format.
  func encode(_ x: Tensor, rows: Tensor, bias: Tensor, threshold: Tensor) throws -> SparseCode
  /// `code · W + bias`: weight [width, d] → [n, d]. The rows of `weight` may lie `rowStride` elements apart (a slice of
  /// a multi-layer decoder), starting at element `start`.
  func decode(_ code: SparseCode, weight: Tensor, start: Int, rowStride: Int, d: Int, bias: Tensor?) throws -> Tensor
}

/// Active features of a run of tokens in compressed-row form.
///
/// Row r holds entries `rowOffsets[r] ..< rowOffsets[r + 1]`; its features ascend. Files store the same three arrays as
/// i64, i32 and f32.
public struct SparseCode: Sendable, Equatable {
  /// Where each row's entries begin, and at last where they end: one more than there are rows.
  public let rowOffsets: [Int]
  /// The feature of each entry, at least 0, ascending within a row.
  public let features: [Int32]
  /// The activation of each entry.
  public let activations: [Float]

  /// - Throws: `TensorError.shape` when the offsets do not start at 0, fall, or end elsewhere than at the entry count,
  ///   or the features of a row are negative or do not ascend.
  public init(rowOffsets: [Int], features: [Int32], activations: [Float]) throws {
    let ascending = zip(rowOffsets, rowOffsets.dropFirst()).allSatisfy { $0 <= $1 }
    guard rowOffsets.first == 0, ascending, rowOffsets.last == features.count, features.count == activations.count
    else {
      throw TensorError.shape(
        operation: "sparse code", expected: "row offsets from 0 to the entry count",
        found: "\(rowOffsets.count) offsets, \(features.count) features, \(activations.count) activations")
    }
    for (start, end) in zip(rowOffsets, rowOffsets.dropFirst()) where start < end {
      var last = Int32(-1)
      for feature in features[start..<end] {
        guard feature > last else {
          throw TensorError.shape(
            operation: "sparse code", expected: "features that ascend within a row, the first at least 0",
            found: "\(feature) after \(last < 0 ? "none" : "\(last)")")
        }
        last = feature
      }
    }
    self.rowOffsets = rowOffsets
    self.features = features
    self.activations = activations
  }

  /// A code of `rows` rows without active features.
  public init(emptyRows rows: Int) {
    rowOffsets = [Int](repeating: 0, count: rows + 1)
    features = []
    activations = []
  }

  /// Number of tokens.
  public var rows: Int { rowOffsets.count - 1 }
  /// Number of active (token, feature) pairs.
  public var count: Int { features.count }

  /// The entries of row `row`: indices into `features` and `activations`.
  public func entries(ofRow row: Int) -> Range<Int> { rowOffsets[row]..<rowOffsets[row + 1] }

  /// The activation of `feature` in `row`, 0 when it is not active. O(log active).
  public func activation(ofFeature feature: Int, inRow row: Int) -> Float {
    var range = entries(ofRow: row)
    while !range.isEmpty {
      let middle = range.lowerBound + range.count / 2
      if Int(features[middle]) == feature { return activations[middle] }
      range = Int(features[middle]) < feature ? middle + 1..<range.upperBound : range.lowerBound..<middle
    }
    return 0
  }
}
