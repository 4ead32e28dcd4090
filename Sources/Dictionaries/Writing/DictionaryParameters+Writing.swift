import Checkpoints
public import Foundation
import Tensors

extension DictionaryParameters {
  /// Writes the dictionary in Gemma Scope 2's own layout: `config.json` and `params.safetensors`, for multi-layer kinds
  /// `params_layer_0.safetensors` and so on. All or nothing: see `DictionaryFiles`.
  /// - Parameters:
  ///   - folder: made when it is missing. Other files in it are left alone.
  ///   - training: JSON text for `training.json` beside them (recipe, card, largest activations).
  ///   - replacing: whether a dictionary in the folder may be replaced.
  /// - Throws: `DictionaryError.input` (see `check()`), `CheckpointError.unwritable`.
  public func write(to folder: URL, training: String? = nil, replacing: Bool = false) throws {
    try check()
    let texts = try Self.texts(configuration: ConfigurationText(self), training: training)
    try DictionaryFiles(
      texts: texts,
      weights: layers.indices.map { read in (Self.fileName(read, shape), { try tensors(read) }) }
    ).write(to: folder, replacing: replacing)
  }

  /// `params.safetensors`, or the file of read `read`.
  static func fileName(_ read: Int, _ shape: DictionaryShape) -> String {
    shape.isMultiLayer ? "params_layer_\(read).safetensors" : "params.safetensors"
  }

  /// The small files: the configuration last, because it makes the folder a dictionary.
  static func texts(configuration: ConfigurationText, training: String?) throws -> [(name: String, bytes: [UInt8])] {
    var texts: [(name: String, bytes: [UInt8])] = []
    if let training {
      var bytes = Array(training.utf8)
      do {
        try bytes.withUnsafeBytes { bytes in
          var scanner = JSONScanner(bytes)
          try scanner.object { _, scanner in try scanner.skipValue() }
          try scanner.end()
        }
      } catch let error as JSONError {
        throw DictionaryError.input(operation: "training.json", expected: "a JSON object", found: "\(error)")
      }
      if bytes.last != UInt8(ascii: "\n") { bytes.append(UInt8(ascii: "\n")) }
      texts.append(("training.json", bytes))
    }
    return texts + [("config.json", configuration.bytes)]
  }

  private func tensors(_ read: Int) throws -> [DictionaryFiles.Named] {
    let layer = layers[read]
    let (inputs, width, outputs) = (shape.inputWidth, shape.width, shape.outputWidth)
    let decoderShape = shape.isMultiLayer ? [width, shape.writes.count, outputs] : [width, outputs]
    var tensors: [DictionaryFiles.Named] = [
      .init("w_enc", try Tensor(layer.encoder, shape: [inputs, width])),
      .init("b_enc", try Tensor(layer.encoderBias, shape: [width])),
      .init("threshold", try Tensor(layer.threshold, shape: [width])),
      .init("w_dec", try Tensor(layer.decoder, shape: decoderShape)),
      .init("b_dec", try Tensor(layer.decoderBias, shape: [outputs])),
    ]
    if let skip = layer.skip {
      tensors.append(.init("affine_skip_connection", try Tensor(skip, shape: [inputs, outputs])))
    }
    return tensors
  }
}
