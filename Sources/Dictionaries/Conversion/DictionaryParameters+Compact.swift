import Checkpoints
public import Foundation
import Tensors

extension DictionaryParameters {
  /// Writes the dictionary in the compact form, a sixth of Gemma Scope 2's bytes, which every part of this program
  /// opens as it is. All or nothing, as `write(to:training:replacing:)`. The form is lossy: see `CompactForm`.
  /// - Parameters:
  ///   - inputMeans: the mean activation at each read. What the change of a feature's direction adds to its pre-
  ///     activation on average is taken off its bias (Nagel et al., arXiv 1906.04721, §4.2), so that thresholds cut
  ///     where they did; likewise what the change of an affine skip adds to the output. When nil, `b_dec` stands in for
  ///     it where a dictionary writes what it reads; on activations of Gemma 3 270M that serves as well as the mean.
  ///     Zeros leave `b_enc` as it is.
  /// - Throws: `DictionaryError.input`, `CheckpointError.unwritable`.
  public func writeCompact(
    to folder: URL, training: String? = nil, inputMeans: [[Float]]? = nil, replacing: Bool = false
  ) throws {
    try check()
    if let inputMeans, inputMeans.map(\.count) != shape.reads.map({ _ in shape.inputWidth }) {
      throw DictionaryError.input(
        operation: "the compact form", expected: "\(shape.reads.count) means of \(shape.inputWidth) numbers",
        found: "\(inputMeans.map(\.count))")
    }
    var configuration = ConfigurationText(self)
    configuration.add("format", quoted: CompactForm.name)
    configuration.add("version", "\(CompactForm.version)")
    try DictionaryFiles(
      texts: try Self.texts(configuration: configuration, training: training),
      weights: layers.indices.map { read in
        (
          Self.fileName(read, shape) + CompactForm.suffix,
          { try compactTensors(read, mean: inputMeans?[read] ?? stand(read)) }
        )
      }, isPacked: true
    ).write(to: folder, replacing: replacing)
  }

  /// What stands in for the mean activation at a read.
  private func stand(_ read: Int) -> [Float]? {
    shape.reads == shape.writes ? layers[read].decoderBias : nil
  }

  private func compactTensors(_ read: Int, mean: [Float]?) throws -> [DictionaryFiles.Named] {
    let layer = layers[read]
    let (inputs, width, outputs) = (shape.inputWidth, shape.width, shape.outputWidth)
    let (writes, count) = (shape.writes.count, shape.writes.count - read)
    // Without the mean to set off what a changed direction adds to a pre-activation, the finest steps are needed: the
    // activations of Gemma have coordinates a hundred times as large as the others.
    let steps = mean == nil ? .infinity : CompactForm.stepsPerDeviation
    let encoder = QuantisedRows(count: width, length: inputs, steps: steps) { feature, row in
      for i in row.indices { row[i] = layer.encoder[i * width + feature] }
    }
    let decoder = QuantisedRows(count: width * count, length: outputs) { place, row in
      let start = (place / count * writes + read + place % count) * outputs
      for i in row.indices { row[i] = layer.decoder[start + i] }
    }
    var bias = layer.encoderBias
    if let mean {
      for feature in 0..<width {
        let stored = encoder.row(feature)
        var shift = 0.0
        for i in 0..<inputs {
          shift += Double(mean[i]) * (Double(layer.encoder[i * width + feature]) - Double(stored[i]))
        }
        bias[feature] += Float(shift)
      }
    }
    let skip = layer.skip.map { skip in
      QuantisedRows(count: inputs, length: outputs, steps: steps) { i, row in
        for j in row.indices { row[j] = skip[i * outputs + j] }
      }
    }
    var decoderBias = layer.decoderBias
    if let mean, let exact = layer.skip, let skip {
      for i in 0..<inputs {
        for (j, stored) in skip.row(i).enumerated() { decoderBias[j] += mean[i] * (exact[i * outputs + j] - stored) }
      }
    }
    let axes = shape.isMultiLayer ? [width, count] : [width]
    var tensors: [DictionaryFiles.Named] =
      try Self.named(CompactForm.encoderRows, CompactForm.encoderScale, encoder, [width])
      + Self.named(CompactForm.decoderRows, CompactForm.decoderScale, decoder, axes)
    tensors += [
      .init("b_enc", try Tensor(bias, shape: [width])),
      .init("threshold", try Tensor(layer.threshold, shape: [width])),
      .init("b_dec", try Tensor(decoderBias, shape: [outputs])),
    ]
    if let skip { tensors += try Self.named(CompactForm.skipRows, CompactForm.skipScale, skip, [inputs]) }
    return tensors
  }

  private static func named(_ name: String, _ scaleName: String, _ rows: QuantisedRows, _ axes: [Int]) throws
    -> [DictionaryFiles.Named]
  {
    let storage = try HostStorage(byteCount: rows.values.count)
    rows.values.withUnsafeBytes { storage.bytes.copyMemory(from: $0) }
    return [
      .init(name, try Tensor(storage: storage, shape: axes + [rows.length], dtype: .i8)),
      .init(scaleName, try Tensor(rows.scales, shape: axes)),
    ]
  }
}
