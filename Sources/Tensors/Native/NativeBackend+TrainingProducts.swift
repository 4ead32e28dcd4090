import CKernels

/// The dense path of a training step.
extension NativeBackend {
  /// Tokens whose codes are dense at a time: [512, width] is all that exists of the whole.
  private static let productTokens = 512

  package func decodeProducts(
    _ code: PairCode, threshold: HostArray<Float>?, decoder: HostArray<Float>, width: Int, groupEnds: [Int32],
    into planes: TrainingPlanes, columns: Range<Int>, active: HostArray<Int32>
  ) throws {
    let dense = try HostArray<Float>(min(Self.productTokens, planes.rows) * width)
    for first in stride(from: 0, to: planes.rows, by: Self.productTokens) {
      let count = min(Self.productTokens, planes.rows - first)
      spread(code, first: first, count: count, width: width, threshold, into: dense, active: active.pointer + first)
      for (group, features) in Self.groups(groupEnds) {
        try product(
          a: dense.pointer + features.lowerBound, stride: width, rows: count,
          b: matrix(
            decoder.pointer + features.lowerBound * columns.count, rows: features.count, columns: columns.count,
            stride: columns.count), layout: GS_ROWS_ARE_INPUTS, outputs: columns.count,
          c: planes.plane(group) + first * planes.columns + columns.lowerBound, stride: planes.columns, adds: true)
      }
    }
  }

  package func gradientProducts(
    _ code: PairCode, x: HostArray<Float>, inputs: Int, gradient: TrainingPlanes, columns: Range<Int>,
    groupEnds: [Int32], decoder: HostArray<Float>, width: Int, threshold: HostArray<Float>?, bandwidth: Float,
    slope: HostArray<Float>
  ) throws -> FeatureProducts {
    let sums = try FeatureProducts(width: width, inputs: inputs, outputs: columns.count)
    let most = min(Self.productTokens, gradient.rows)
    let (z, along) = (try HostArray<Float>(most * width), try HostArray<Float>(most * width))
    let (activations, slopes) = (try HostArray<Float>(most * width), try HostArray<Float>(most * width))
    for first in stride(from: 0, to: gradient.rows, by: Self.productTokens) {
      let count = min(Self.productTokens, gradient.rows - first)
      func plane(_ group: Int) -> UnsafeMutablePointer<Float> {
        gradient.plane(group) + first * gradient.columns + columns.lowerBound
      }
      spread(code, first: first, count: count, width: width, nil, into: z, active: nil)
      for (group, features) in Self.groups(groupEnds) {
        try product(
          a: plane(group), stride: gradient.columns, rows: count,
          b: matrix(
            decoder.pointer + features.lowerBound * columns.count, rows: features.count, columns: columns.count,
            stride: columns.count), layout: GS_ROWS_ARE_OUTPUTS, outputs: features.count,
          c: along.pointer + features.lowerBound, stride: width, adds: false)
      }
      var kernelSums = sums.kernelForm
      withUnsafePointer(to: &kernelSums) { kernelSums in
        var call = gs_train_slopes(
          tokens: Int64(count), width: Int64(width), z: z.pointer, along: along.pointer, threshold: threshold?.pointer,
          bandwidth: bandwidth, slope: slope.pointer + first, activations: activations.pointer, slopes: slopes.pointer,
          sums: kernelSums)
        kernels.train_slopes(pool, &call)
      }
      for (group, features) in Self.groups(groupEnds) {
        try product(
          a: activations.pointer + features.lowerBound * count, stride: count, rows: features.count,
          b: matrix(plane(group), rows: count, columns: columns.count, stride: gradient.columns),
          layout: GS_ROWS_ARE_INPUTS, outputs: columns.count,
          c: sums.decoder.pointer + features.lowerBound * columns.count, stride: columns.count, adds: true)
      }
      try product(
        a: slopes.pointer, stride: count, rows: width,
        b: matrix(x.pointer + first * inputs, rows: count, columns: inputs, stride: inputs),
        layout: GS_ROWS_ARE_INPUTS, outputs: inputs, c: sums.encoder.pointer, stride: inputs, adds: true)
    }
    return sums
  }

  /// The features of each Matryoshka group that has some.
  private static func groups(_ ends: [Int32]) -> [(group: Int, features: Range<Int>)] {
    ends.indices.compactMap { group in
      let start = group == 0 ? 0 : Int(ends[group - 1])
      return start < Int(ends[group]) ? (group, start..<Int(ends[group])) : nil
    }
  }

  private func spread(
    _ code: PairCode, first: Int, count: Int, width: Int, _ threshold: HostArray<Float>?, into out: HostArray<Float>,
    active: UnsafeMutablePointer<Int32>?
  ) {
    var call = gs_train_spread(
      rows: Int64(count), width: Int64(width), row_offsets: code.rowOffsets + first, features: code.features,
      z: code.values, threshold: threshold?.pointer, out: out.pointer, active: active)
    kernels.train_spread(pool, &call)
  }

  private func product(
    a: UnsafePointer<Float>, stride: Int, rows: Int, b: gs_matrix, layout: gs_layout, outputs: Int,
    c: UnsafeMutablePointer<Float>, stride outputStride: Int, adds: Bool
  ) throws {
    let depth = layout == GS_ROWS_ARE_INPUTS ? b.rows : b.cols
    var call = gs_gemm(
      m: Int64(rows), n: Int64(outputs), k: depth, a: a, lda: Int64(stride), b: b, layout: layout, c: c,
      ldc: Int64(outputStride), bias: nil, accumulate: adds ? 1 : 0)
    try check(kernels.gemm(pool, &call), bytes: rows * Int(depth) * 4)
  }
}

extension FeatureProducts {
  var kernelForm: gs_train_sums {
    gs_train_sums(
      encoder: encoder.pointer, decoder: decoder.pointer, bias: bias.pointer, window: window.pointer,
      pairs: pairs.pointer, active: active.pointer, inside: inside.pointer)
  }
}
