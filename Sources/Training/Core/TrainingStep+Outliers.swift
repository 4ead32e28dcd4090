import Tensors

/// A token whose target at one write is so long that its error counts for less.
struct Outlier {
  let token, write: Int
  /// Of its squared error.
  let weight: Float
}

extension TrainingStep {
  /// The outliers of the batch: tokens longer than `normLimit` times the median of a write's targets. Their errors weigh
  /// (normLimit · median / length)², as if they were of that length.
  func findOutliers() throws -> [Outlier] {
    guard let limit = state.objective.normLimit else { return [] }
    return try batch.targets.enumerated().flatMap { write, target in
      let lengths = try Lengths(target)
      let most = limit * lengths.median
      return lengths.values.enumerated().compactMap { token, length in
        length > most ? Outlier(token: token, write: write, weight: most * most / (length * length)) : nil
      }
    }
  }

  /// Multiplies what planes hold for outliers at `write`; all writes when nil.
  func multiply(_ planes: TrainingPlanes, _ outliers: [Outlier], at write: Int? = nil, by factor: (Float) -> Float) {
    for outlier in outliers where write == nil || outlier.write == write {
      let value = factor(outlier.weight)
      for group in 0..<planes.groups {
        let start = planes.plane(group) + place(outlier)
        for j in 0..<shape.outputWidth { start[j] *= value }
      }
    }
  }

  /// Where an outlier's numbers begin in a plane.
  func place(_ outlier: Outlier) -> Int {
    outlier.token * shape.totalOutputWidth + outlier.write * shape.outputWidth
  }

  /// Takes from the squared errors in `memory.squares` what outliers at `write` count less; `before` is what the squares
  /// were before that write's errors were added.
  /// - Returns: what was taken from those with all features.
  func lightenSquares(_ outliers: [Outlier], at write: Int, before: [Float]) -> Double {
    var (index, taken) = (0, 0.0)
    for outlier in outliers where outlier.write == write {
      for group in state.prefixes.indices {
        let place = group * tokens + outlier.token
        let less = (1 - outlier.weight) * (memory.squares[place] - before[index])
        memory.squares[place] -= less
        index += 1
        if group == state.prefixes.count - 1 { taken += Double(less) }
      }
    }
    return taken
  }

  /// The squared errors of outliers at `write` so far, in the order in which `lightenSquares` wants them.
  func squares(of outliers: [Outlier], at write: Int) -> [Float] {
    outliers.filter { $0.write == write }.flatMap { outlier in
      state.prefixes.indices.map { memory.squares[$0 * tokens + outlier.token] }
    }
  }
}

/// Euclidean lengths of the rows of a tensor.
struct Lengths {
  let values: [Float]
  let median: Float

  /// - Parameter tensor: [rows, columns] fp32 in the host's memory.
  init(_ tensor: Tensor) throws {
    let (rows, columns) = (tensor.rows, tensor.rowLength)
    guard tensor.dtype == .f32, let bytes = tensor.hostBytes else {
      throw TrainingError.batch(expected: "f32 in the host's memory", found: "\(tensor)")
    }
    values = withExtendedLifetime(tensor) {
      let width = SIMD16<Float>.scalarCount
      return (0..<rows).map { row in
        var sums = SIMD16<Float>()
        let (first, whole) = (row * columns, columns - columns % width)
        for column in stride(from: 0, to: whole, by: width) {
          let part = bytes.loadUnaligned(fromByteOffset: (first + column) * 4, as: SIMD16<Float>.self)
          sums += part * part
        }
        var sum = sums.sum()
        for column in whole..<columns {
          let value = bytes.load(fromByteOffset: (first + column) * 4, as: Float.self)
          sum += value * value
        }
        return sum.squareRoot()
      }
    }
    let sorted = values.sorted()
    median = sorted.isEmpty ? 0 : sorted[sorted.count / 2]
  }
}
