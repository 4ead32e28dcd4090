import Foundation
import Tensors

/// One source of a dictionary in raw units, laid out as `DictionaryParameters.Layer`.
package struct FoldedLayer {
  /// [inputWidth, width].
  package var encoder: [Float]
  package var encoderBias: [Float]
  package var threshold: [Float]
  /// [width, writes, outputWidth], zero at writes before the source's own.
  package var decoder: [Float]
  package var decoderBias: [Float]
  package var skip: [Float]?
}

extension TrainingState {
  /// The local features in the units of the activations they were trained on: scales and a subtracted bias folded into
  /// weights.
  ///
  /// With C_in of a source and C_out of a write, and n = C_out for a source with one write, else the length of the
  /// decoder row scaled by each write's C_out (features then carry the scale, rows keep unit length jointly):
  ///
  ///     w_enc = We · n / C_in;   b_enc = (be − We·bd where bd is subtracted) · n;   threshold = θ · n
  ///     w_dec = Wd · C_out / n;  b_dec = bd · C_out;                                skip = skip · C_out / C_in
  package func foldedLayers() -> [FoldedLayer] { sources.indices.map(folded) }

  private func folded(_ index: Int) -> FoldedLayer {
    let source = sources[index]
    let (width, inputs, outputs) = (source.width, source.inputs, shape.outputWidth)
    let firstWrite = shape.firstWrite(index)
    let inputScale = normalisation.inputs[index]
    let scales = normalisation.targets[firstWrite...]
    var layer = FoldedLayer(
      encoder: [Float](repeating: 0, count: inputs * width), encoderBias: [Float](repeating: 0, count: width),
      threshold: [Float](repeating: 0, count: width),
      decoder: [Float](repeating: 0, count: width * shape.writes * outputs), decoderBias: [])
    for i in 0..<width {
      let decoder = UnsafeBufferPointer(
        start: source.decoder.value.pointer + i * source.columns.count, count: source.columns.count)
      let length = Self.rawLength(decoder, scales)
      for (write, scale) in zip(firstWrite..., scales) {
        let factor = scales.count == 1 ? 1 : scale / length
        for j in 0..<outputs {
          layer.decoder[(i * shape.writes + write) * outputs + j] = decoder[(write - firstWrite) * outputs + j] * factor
        }
      }
      var shift = 0.0
      for j in 0..<inputs {
        let weight = source.encoder.value[i * inputs + j]
        layer.encoder[j * width + i] = weight * (length / inputScale)
        if shape.subtractsBias { shift += Double(weight) * Double(decoderBias.value[j]) }
      }
      layer.encoderBias[i] = Float((Double(source.encoderBias.value[i]) - shift) * Double(length))
      layer.threshold[i] = length * (hasThresholds ? exp(source.logThreshold.value[i]) : runningThreshold)
    }
    let targetScale = normalisation.targets[firstWrite]
    layer.decoderBias = (0..<outputs).map { decoderBias.value[firstWrite * outputs + $0] * targetScale }
    layer.skip = shape.isAffine ? skips[index].value.array.map { $0 * (targetScale / inputScale) } : nil
    return layer
  }

  /// n of `folded`.
  static func rawLength(_ decoder: UnsafeBufferPointer<Float>, _ scales: ArraySlice<Float>) -> Float {
    guard scales.count > 1, let only = scales.first else { return scales.first ?? 1 }
    let outputs = decoder.count / scales.count
    var square = 0.0
    for (place, scale) in scales.enumerated() {
      for j in 0..<outputs {
        let value = Double(decoder[place * outputs + j]) * Double(scale)
        square += value * value
      }
    }
    return square > 0 ? Float(square.squareRoot()) : only
  }

  /// The reverse of `foldedLayers`: takes up a dictionary in raw units, as fine-tuning does. Optimiser state starts anew.
  /// Decoder rows get unit length, which features make up for. A threshold of 0 or less becomes the smallest normal
  /// number; a shard takes the rows it holds.
  /// - Throws: `TrainingError.saved` for arrays that do not fit the shape.
  package func unfold(_ layers: [FoldedLayer]) throws {
    guard layers.count == sources.count else {
      throw TrainingError.saved(tensor: "layers", expected: "\(sources.count)", found: "\(layers.count)")
    }
    for (index, layer) in layers.enumerated() {
      let (width, inputs, outputs) = (shape.width, shape.inputWidth, shape.outputWidth)
      for (name, found, expected) in [
        ("w_enc", layer.encoder.count, inputs * width), ("b_enc", layer.encoderBias.count, width),
        ("threshold", layer.threshold.count, width), ("w_dec", layer.decoder.count, width * shape.writes * outputs),
        ("b_dec", layer.decoderBias.count, outputs),
        ("affine_skip_connection", layer.skip?.count ?? 0, shape.isAffine ? inputs * outputs : 0),
      ] where found != expected {
        throw TrainingError.saved(
          tensor: "\(name) of layer \(index)", expected: "\(expected) numbers", found: "\(found)")
      }
      let firstWrite = shape.firstWrite(index)
      let (targetScale, inputScale) = (normalisation.targets[firstWrite], normalisation.inputs[index])
      for j in 0..<outputs { decoderBias.value[firstWrite * outputs + j] = layer.decoderBias[j] / targetScale }
      if let skip = layer.skip {
        for j in skip.indices { skips[index].value[j] = skip[j] * inputScale / targetScale }
      }
      for i in 0..<sources[index].width { unfold(layer, index, i) }
    }
    forgetMoments()
  }

  private func unfold(_ layer: FoldedLayer, _ index: Int, _ i: Int) {
    let source = sources[index]
    let (feature, firstWrite) = (shape.shard.feature(i), shape.firstWrite(index))
    let (inputs, outputs) = (source.inputs, shape.outputWidth)
    let decoder = UnsafeMutableBufferPointer(
      start: source.decoder.value.pointer + i * source.columns.count, count: source.columns.count)
    var square = 0.0
    for write in firstWrite..<shape.writes {
      for j in 0..<outputs {
        let value =
          layer.decoder[(feature * shape.writes + write) * outputs + j] / normalisation.targets[write]
        decoder[(write - firstWrite) * outputs + j] = value
        square += Double(value) * Double(value)
      }
    }
    // Features grow by the length that their decoder row loses.
    let length = square > 0 ? Float(square.squareRoot()) : 1
    for j in decoder.indices { decoder[j] /= length }
    var shift = 0.0
    for j in 0..<inputs {
      let weight = layer.encoder[j * shape.width + feature] * normalisation.inputs[index] * length
      source.encoder.value[i * inputs + j] = weight
      if shape.subtractsBias { shift += Double(weight) * Double(decoderBias.value[j]) }
    }
    source.encoderBias.value[i] = Float(Double(layer.encoderBias[feature]) * Double(length) + shift)
    source.logThreshold.value[i] = log(max(layer.threshold[feature] * length, .leastNormalMagnitude))
  }
}
