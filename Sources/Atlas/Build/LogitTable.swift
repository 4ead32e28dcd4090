import Foundation
import Tensors

/// What one feature does to the logits of all tokens: the most raised and most lowered, and how all are spread.
struct LogitTable: Equatable {
  struct Entry: Equatable {
    let token: Int32
    let value: Float
  }

  /// Largest first, equal ones by id.
  let top: [Entry]
  /// Smallest first, equal ones by id.
  let bottom: [Entry]
  /// How many values lie in each of 50 parts of equal width from the lowest to the highest.
  let counts: [UInt32]

  static let entries = 10
  static let bars = 50

  /// - Parameters:
  ///   - spread: of a row of the vocabulary, of `entries` and `bars`.
  ///   - scale: what its values are to be multiplied by, above 0.
  init(_ spread: RowSpread, scale: Float) {
    func list(_ entries: [RowSpread.Entry]) -> [Entry] {
      entries.map { Entry(token: Int32($0.index), value: $0.value * scale) }
    }
    (top, bottom, counts) = (list(spread.top), list(spread.bottom), spread.counts)
  }

  /// f32 low, f32 high, then u32 for each part.
  var histogram: Data { Blob.of([bottom.first?.value ?? 0, top.first?.value ?? 0]) + Blob.of(counts) }
}
