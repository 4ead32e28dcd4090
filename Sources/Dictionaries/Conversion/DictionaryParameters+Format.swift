public import Foundation

extension DictionaryParameters {
  /// Writes the dictionary in `format`. All or nothing.
  /// - Parameters:
  ///   - folder: new or empty.
  ///   - training: JSON text for `training.json`, in the layouts that have one (Gemma Scope 2's and the compact).
  ///   - topK: for sparsify, which keeps the k strongest features instead of thresholds: how many. States that the
  ///     conversion may be approximate.
  /// - Throws: `ConversionError`, `DictionaryError.input`, `CheckpointError.unwritable`.
  public func write(as format: DictionaryFormat, to folder: URL, training: String? = nil, topK: Int? = nil) throws {
    guard AtomicFolder.isFree(folder) else { throw ConversionError.occupied(path: folder.path) }
    switch format {
    case .gemmaScope2: try write(to: folder, training: training)
    case .compact: try writeCompact(to: folder, training: training)
    case .saelens: try saelensFiles().write(to: folder, replacing: false)
    case .sparsify: try sparsifyFiles(topK: topK).write(to: folder, replacing: false)
    case .circuitTracer: try circuitTracerFiles().write(to: folder, replacing: false)
    }
  }

  /// The layer of a single-layer kind, its numbers checked.
  func onlyLayer(_ format: DictionaryFormat) throws -> Layer {
    try check()
    guard !shape.isMultiLayer, let layer = layers.first else {
      throw ConversionError.cannotHold(
        layout: format, reason: "a \(shape.kind.rawValue) reads \(shape.reads.count) layers, the layout knows one")
    }
    return layer
  }
}

/// `matrix` [rows, columns] as [columns, rows].
func transposed(_ matrix: [Float], rows: Int, columns: Int) -> [Float] {
  guard rows > 1, columns > 1 else { return matrix }
  return [Float](unsafeUninitializedCapacity: matrix.count) { out, count in
    // Blocks keep both sides in cache.
    for top in stride(from: 0, to: rows, by: 32) {
      for left in stride(from: 0, to: columns, by: 32) {
        for i in top..<min(top + 32, rows) {
          for j in left..<min(left + 32, columns) { out[j * rows + i] = matrix[i * columns + j] }
        }
      }
    }
    count = matrix.count
  }
}

/// `vector` [rows] times `matrix` [rows, columns], in fp64.
func product(_ vector: [Float], _ matrix: [Float], columns: Int) -> [Double] {
  var sums = [Double](repeating: 0, count: columns)
  for (i, number) in vector.enumerated() where number != 0 {
    for j in 0..<columns { sums[j] += Double(number) * Double(matrix[i * columns + j]) }
  }
  return sums
}
