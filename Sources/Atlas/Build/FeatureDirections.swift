import Dictionaries
import Gemma
import Sites
import Tensors

/// The vectors that belong to features, in blocks of features.
struct FeatureDirections {
  let dictionary: SparseDictionary
  let model: GemmaModel

  private var shape: DictionaryShape { dictionary.shape }

  /// Where a feature's direction in the residual stream is taken: the last site written.
  var site: Site { shape.writes[shape.writes.count - 1] }

  /// Decoder rows of features `range` (`read · width + index`), all writes one behind the other: [range.count, …].
  /// - Throws: `DictionaryError`, `TensorError`.
  func decoderRows(_ range: Range<Int>) throws -> Tensor {
    let rows = try range.flatMap { feature in
      try shape.writes.indices.flatMap {
        try dictionary.decoderRow(read: feature / shape.width, feature: feature % shape.width, write: $0)
      }
    }
    return try model.backend.tensor(rows, shape: [range.count, shape.writes.count * shape.outputWidth])
  }

  /// What features `range` add to the residual stream per unit of activation, [range.count, model width]: of what is
  /// written once, the decoder row; of a cross-layer transcoder the sum over its writes, which the stream adds up; of
  /// a crosscoder the row of the last write, each being a whole stream. At `attn_out` through W_O and the gain of the
  /// norm behind it.
  /// - Throws: `DictionaryError`, `GemmaError`, `TensorError`.
  func residualDirections(_ range: Range<Int>) throws -> Tensor {
    let last = shape.writes.count - 1
    let rows = try range.flatMap { feature -> [Float] in
      let (read, index) = (feature / shape.width, feature % shape.width)
      guard shape.kind == .clt else { return try dictionary.decoderRow(read: read, feature: index, write: last) }
      var sum = [Float](repeating: 0, count: shape.outputWidth)
      for write in read...last {
        for (i, number) in try dictionary.decoderRow(read: read, feature: index, write: write).enumerated() {
          sum[i] += number
        }
      }
      return sum
    }
    return try model.residualDirections(
      of: site, model.backend.tensor(rows, shape: [range.count, shape.outputWidth]))
  }

  /// Columns of the encoder of read `read`, feature by feature, [width · inputWidth].
  /// - Throws: `DictionaryError`, `TensorError`.
  func encoderColumns(read: Int) throws -> [Float] {
    let stored = try dictionary.plainTensor("w_enc", read: read).read()
    let (inputs, width) = (shape.inputWidth, shape.width)
    var columns = [Float](repeating: 0, count: stored.count)
    for input in 0..<inputs {
      for feature in 0..<width { columns[feature * inputs + input] = stored[input * width + feature] }
    }
    return columns
  }
}

extension Tensor {
  /// Its rows divided by their lengths; a row of zeros stays.
  func unitRows(_ backend: any Backend) throws -> Tensor {
    var values = try read()
    let width = max(rowLength, 1)
    for row in 0..<rows {
      let place = row * width..<(row + 1) * width
      let length = values[place].reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
      if length > 0 { for i in place { values[i] = Float(Double(values[i]) / length) } }
    }
    return try backend.tensor(values, shape: shape)
  }
}
