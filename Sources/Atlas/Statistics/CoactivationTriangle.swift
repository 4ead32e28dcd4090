import Tensors

/// How often each pair of features was on at the same token, for dictionaries of few features: one number a pair.
package struct CoactivationTriangle: Equatable {
  package let width: Int
  /// Pairs (i, j) with i < j, row by row.
  package var counts: [UInt32]

  /// Above so many features the numbers would take more than 34 MB.
  package static let mostFeatures = 4096

  package init(width: Int) {
    self.width = width
    counts = [UInt32](repeating: 0, count: width * max(width - 1, 0) / 2)
  }

  static func index(_ i: Int, _ j: Int, width: Int) -> Int { i * (2 * width - i - 1) / 2 + j - i - 1 }

  /// Adds a token at which `features` were on, ascending.
  package mutating func add(_ features: [Int32]) {
    let width = width
    counts.withUnsafeMutableBufferPointer { counts in
      for (place, feature) in features.enumerated() {
        let i = Int(feature)
        // Where row i would have its column 0.
        let row = i * (2 * width - i - 1) / 2 - i - 1
        for other in features[(place + 1)...] { counts[row + Int(other)] += 1 }
      }
    }
  }

  /// For every feature how often it was on together with `feature`; 0 for itself.
  func together(with feature: Int) -> [Int] {
    (0..<width).map { other in
      other == feature
        ? 0 : Int(counts[Self.index(min(feature, other), max(feature, other), width: width)])
    }
  }
}
