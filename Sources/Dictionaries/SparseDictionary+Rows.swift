import Tensors

extension SparseDictionary {
  /// What feature `feature` of read `read` adds to write `write` per unit of activation: [outputWidth]. Zero when
  /// `write` lies before `read`. Reads these numbers alone.
  /// - Throws: `DictionaryError.outOfRange`, `TensorError`.
  public func decoderRow(read: Int = 0, feature: Int, write: Int) throws -> [Float] {
    try check(read, feature)
    guard shape.writes.indices ~= write else {
      throw DictionaryError.outOfRange(what: "written layer", value: write, limit: shape.writes.count)
    }
    guard write >= read else { return [Float](repeating: 0, count: shape.outputWidth) }
    if let writes = layers[read].compactWrites {
      return try layers[read].decoder.scaledRow(feature * writes + write - read)
    }
    let start = (feature * shape.writes.count + write) * shape.outputWidth
    return try layers[read].decoder.elements(start..<start + shape.outputWidth)
  }

  /// The decoder row at the layer the feature reads: for single-layer kinds the only one.
  /// - Throws: `DictionaryError.outOfRange`, `TensorError`.
  public func decoderRow(read: Int = 0, feature: Int) throws -> [Float] {
    try decoderRow(read: read, feature: feature, write: read)
  }

  /// The direction that feature `feature` of read `read` looks for: column `feature` of `w_enc`, [inputWidth].
  /// - Throws: `DictionaryError.outOfRange`, `TensorError`.
  /// - Complexity: touches one page for each of `inputWidth` rows; one row in the compact form.
  public func encoderColumn(read: Int = 0, feature: Int) throws -> [Float] {
    try check(read, feature)
    let encoder = layers[read].encoder
    if layers[read].compactWrites != nil { return try encoder.scaledRow(feature) }
    return try (0..<shape.inputWidth).flatMap { row in
      let place = row * shape.width + feature
      return try encoder.elements(place..<place + 1)
    }
  }

  /// What the pre-activation of `feature` must exceed.
  /// - Throws: `DictionaryError.outOfRange`, `TensorError`.
  public func threshold(read: Int = 0, feature: Int) throws -> Float {
    try check(read, feature)
    return try layers[read].threshold.elements(feature..<feature + 1)[0]
  }

  /// The constant in the pre-activation of `feature`.
  /// - Throws: `DictionaryError.outOfRange`, `TensorError`.
  public func encoderBias(read: Int = 0, feature: Int) throws -> Float {
    try check(read, feature)
    return try layers[read].encoderBias.elements(feature..<feature + 1)[0]
  }

  /// What write `write` gets whatever is active: [outputWidth].
  /// - Throws: `DictionaryError.outOfRange`, `TensorError`.
  public func decoderBias(write: Int = 0) throws -> [Float] {
    guard shape.writes.indices ~= write else {
      throw DictionaryError.outOfRange(what: "written layer", value: write, limit: shape.writes.count)
    }
    return try layers[write].decoderBias.read()
  }

  private func check(_ read: Int, _ feature: Int) throws {
    try checkRead(read)
    guard 0..<shape.width ~= feature else {
      throw DictionaryError.outOfRange(what: "feature", value: feature, limit: shape.width)
    }
  }
}

extension Tensor {
  /// Elements `range`, counted row-major, of a plain format.
  fileprivate func elements(_ range: Range<Int>) throws -> [Float] {
    try Tensor(
      storage: storage, byteOffset: byteOffset + range.lowerBound * dtype.bytesPerBlock, shape: [range.count],
      dtype: dtype
    ).read()
  }
}
