package import Tensors

extension SparseDictionary {
  /// A matrix of one read in Gemma Scope 2's layout, whatever form it is stored in: `w_enc` [d_in, F], `w_dec`
  /// [F, writes, d_out] with the axis of writes absolute, `affine_skip_connection` [d_in, d_out], `b_dec` [d_out].
  /// Rows of the compact form are widened to fp32, which copies them.
  /// - Throws: `DictionaryError.outOfRange`, `.missingTensor`, `TensorError`.
  package func plainTensor(_ name: String, read: Int) throws -> Tensor {
    try checkRead(read)
    let layer = layers[read]
    let isCompact = layer.compactWrites != nil
    switch name {
    case "w_enc": return isCompact ? try wideEncoder(layer) : layer.encoder
    case "w_dec": return isCompact ? try wideDecoder(layer, read: read) : layer.decoder
    case "b_dec": return layer.decoderBias
    case "affine_skip_connection":
      guard let skip = layer.skip else { throw DictionaryError.missingTensor(path: layer.path, name: name) }
      return isCompact ? try Tensor(skip.read(), shape: skip.shape) : skip
    default: throw DictionaryError.missingTensor(path: layer.path, name: name)
    }
  }

  private func wideEncoder(_ layer: DictionaryLayer) throws -> Tensor {
    var columns = [Float](repeating: 0, count: layer.encoder.count)
    for feature in 0..<shape.width {
      for (i, number) in try layer.encoder.scaledRow(feature).enumerated() {
        columns[i * shape.width + feature] = number
      }
    }
    return try Tensor(columns, shape: [shape.inputWidth, shape.width])
  }

  private func wideDecoder(_ layer: DictionaryLayer, read: Int) throws -> Tensor {
    let (writes, outputs) = (shape.writes.count, shape.outputWidth)
    let axes = [shape.width, writes, outputs]
    guard let bytes = Tensor.byteCount(shape: axes, dtype: .f32) else { throw TensorError.outOfMemory(bytes: .max) }
    var rows = [Float](repeating: 0, count: bytes / 4)
    for feature in 0..<shape.width {
      for write in read..<writes {
        let start = (feature * writes + write) * outputs
        let row = try layer.decoder.scaledRow(feature * (writes - read) + write - read)
        rows.replaceSubrange(start..<start + outputs, with: row)
      }
    }
    return try Tensor(rows, shape: axes)
  }
}
