import CKernels
import Foundation

/// The (token, feature) pairs of one source in a training step, by token, in memory that is changed in place: row r
/// holds entries rowOffsets[r] ..< rowOffsets[r + 1], features ascending, each with its pre-activation.
package final class PairCode {
  var sparse: gs_sparse
  private var capacity: Int

  init(adopting sparse: gs_sparse) {
    self.sparse = sparse
    capacity = Int(sparse.row_offsets[Int(sparse.rows)])
  }

  /// A code without rows.
  /// - Throws: `TensorError.outOfMemory`.
  package init() throws {
    sparse = gs_sparse(rows: 0, row_offsets: nil, features: nil, activations: nil)
    capacity = 0
    sparse.row_offsets = try Self.grown(sparse.row_offsets, 1)
    sparse.row_offsets[0] = 0
    sparse.features = try Self.grown(sparse.features, 1)
    sparse.activations = try Self.grown(sparse.activations, 1)
  }

  deinit { gs_sparse_free(&sparse) }

  package var rows: Int { Int(sparse.rows) }
  package var count: Int { Int(sparse.row_offsets[rows]) }
  package var rowOffsets: UnsafeMutablePointer<Int64> { sparse.row_offsets }
  package var features: UnsafeMutablePointer<Int32> { sparse.features }
  package var values: UnsafeMutablePointer<Float> { sparse.activations }

  /// Adds the rows of `other` below.
  /// - Throws: `TensorError.outOfMemory`.
  package func append(_ other: PairCode) throws {
    let (rows, count) = (self.rows, self.count)
    if count + other.count > capacity {
      capacity = max(count + other.count, capacity + capacity / 2)
      sparse.features = try Self.grown(sparse.features, capacity)
      sparse.activations = try Self.grown(sparse.activations, capacity)
    }
    sparse.row_offsets = try Self.grown(sparse.row_offsets, rows + other.rows + 1)
    (features + count).update(from: other.features, count: other.count)
    (values + count).update(from: other.values, count: other.count)
    for row in 1..<other.rows + 1 { rowOffsets[rows + row] = Int64(count) + other.rowOffsets[row] }
    sparse.rows += other.sparse.rows
  }

  /// Keeps the entries whose value is at least their row's `cut`.
  package func keep(atLeast cut: (_ row: Int) -> Float) {
    var next = 0
    var start = 0
    for row in 0..<rows {
      let end = Int(rowOffsets[row + 1])
      let least = cut(row)
      for entry in start..<end where values[entry] >= least {
        features[next] = features[entry]
        values[next] = values[entry]
        next += 1
      }
      start = end
      rowOffsets[row + 1] = Int64(next)
    }
  }

  /// Renames feature f to `names[f]`; the names ascend.
  package func rename(_ names: [Int32]) {
    for entry in 0..<count { features[entry] = names[Int(features[entry])] }
  }

  private static func grown<Element>(_ memory: UnsafeMutablePointer<Element>?, _ count: Int) throws
    -> UnsafeMutablePointer<Element>
  {
    let bytes = max(count, 1) * MemoryLayout<Element>.stride
    guard let memory = realloc(memory, bytes) else { throw TensorError.outOfMemory(bytes: bytes) }
    return memory.assumingMemoryBound(to: Element.self)
  }
}

/// The same pairs by feature, tokens ascending.
package final class PairColumns {
  var columns: gs_columns

  init(adopting columns: gs_columns) { self.columns = columns }
  deinit { gs_columns_free(&columns) }
}
