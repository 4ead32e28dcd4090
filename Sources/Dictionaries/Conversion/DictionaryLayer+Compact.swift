import Checkpoints
import Tensors

extension DictionaryLayer {
  /// Reads one file in the compact form; see `CompactForm` for its tensors. The int8 rows stay mapped, their scales are
  /// copied.
  /// - Parameters:
  ///   - read: place of this read, from 0.
  ///   - writes: written layers, or nil for a single-layer file.
  /// - Throws: `DictionaryError.missingTensor`, `.unexpectedTensor`, `.tensor`; `CheckpointError`.
  init(compact source: any TensorSource, path: String, read: Int, writes: Int?) throws {
    let reader = LayerReader(source: source, path: path)
    let required = [
      CompactForm.encoderRows, CompactForm.encoderScale, CompactForm.decoderRows, CompactForm.decoderScale,
    ]
    try reader.checkNames(
      required + CompactForm.vectors + [CompactForm.skipRows, CompactForm.skipScale],
      required: required + CompactForm.vectors, allowOthers: false)
    self.path = path
    let encoder = try reader.rows(CompactForm.encoderRows, CompactForm.encoderScale, axes: ["F", "d_in"])
    let width = encoder.shape[0]
    let count = (writes ?? 1) - read
    let axes = writes == nil ? ["F", "d_out"] : ["F", "writes from its own", "d_out"]
    let decoder = try reader.rows(CompactForm.decoderRows, CompactForm.decoderScale, axes: axes)
    let outputs = decoder.rowLength
    let stored = try source.info(CompactForm.decoderRows).shape
    let expected = [width] + (writes == nil ? [] : [count]) + [outputs]
    guard stored == expected else {
      throw reader.failure(CompactForm.decoderRows, "shape \(expected)", "\(stored)")
    }
    let (rows, overflow) = width.multipliedReportingOverflow(by: count)
    guard width <= Int(Int32.max), !overflow, rows <= Int(Int32.max) else {
      throw reader.failure(CompactForm.decoderRows, "at most 2³¹ − 1 rows", "\(stored)")
    }
    self.encoder = encoder
    self.decoder = decoder
    compactWrites = count
    encoderBias = try reader.vector("b_enc", count: width)
    threshold = try reader.vector("threshold", count: width, infiniteAllowed: true)
    decoderBias = try reader.vector("b_dec", count: outputs)
    guard source.contains(CompactForm.skipRows) || source.contains(CompactForm.skipScale) else {
      skip = nil
      return
    }
    let skip = try reader.rows(CompactForm.skipRows, CompactForm.skipScale, axes: ["d_in", "d_out"])
    guard skip.shape == [encoder.shape[1], outputs] else {
      throw reader.failure(CompactForm.skipRows, "shape \([encoder.shape[1], outputs])", "\(skip.shape)")
    }
    self.skip = skip
  }
}

extension LayerReader {
  /// int8 rows with the scales of their own tensor, one for each row along the last axis: the axes before it count as
  /// one.
  fileprivate func rows(_ name: String, _ scaleName: String, axes: [String]) throws -> Tensor {
    for needed in [name, scaleName] where !source.contains(needed) {
      throw DictionaryError.missingTensor(path: path, name: needed)
    }
    let info = try source.info(name)
    guard info.shape.count == axes.count, info.shape.allSatisfy({ $0 > 0 }) else {
      throw failure(name, "[\(axes.joined(separator: ", "))], none empty", "shape \(info.shape)")
    }
    guard info.dtype == .i8 else { throw failure(name, "int8", info.typeName) }
    let scaleInfo = try source.info(scaleName)
    guard scaleInfo.shape == Array(info.shape.dropLast()), scaleInfo.dtype == .f32 else {
      throw failure(scaleName, "F32 \(Array(info.shape.dropLast()))", "\(scaleInfo.typeName) \(scaleInfo.shape)")
    }
    // The kernels want scales from the start of their own memory, and numbers that were checked must not change.
    let scales = try source.tensor(scaleName).read()
    if let place = scales.firstIndex(where: { !($0 >= 0 && $0.isFinite) }) {
      throw failure(scaleName, "finite numbers from 0", "\(scales[place]) at \(place)")
    }
    let stored = try source.tensor(name)
    return try Tensor(
      storage: stored.storage, byteOffset: stored.byteOffset, shape: [scales.count, info.shape[axes.count - 1]],
      dtype: .i8, rowScale: Tensor(scales, shape: [scales.count]).storage)
  }
}
