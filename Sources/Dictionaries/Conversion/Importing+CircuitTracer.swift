import Checkpoints
import Foundation
import Sites

extension DictionaryParameters {
  /// A transcoder of circuit-tracer in one file.
  static func circuitTracerLayer(_ file: URL, layer: Int) throws -> DictionaryParameters {
    let tensors = try ForeignTensors(file)
    let limit = "activation_function.threshold"
    try tensors.expectOnly(["W_enc", "W_dec", "b_enc", "b_dec", limit, "W_skip"])
    let (rows, axes) = try tensors.read("W_enc", [nil, nil])
    let (width, d) = (axes[0], axes[1])
    let modelName = try circuitTracerModel(file.deletingLastPathComponent())
    let parameters = Layer(
      encoder: transposed(rows, rows: width, columns: d), encoderBias: try tensors.values("b_enc", [width]),
      threshold: try circuitTracerThresholds(tensors, limit, width),
      decoder: try tensors.values("W_dec", [width, d]), decoderBias: try tensors.values("b_dec", [d]),
      skip: try tensors.optional("W_skip", [d, d]).map { transposed($0, rows: d, columns: d) })
    return try single(
      reads: .mlpIn(layer), writes: .mlpOut(layer), layer: parameters, modelName: modelName, targetL0: nil,
      path: file.path)
  }

  /// A cross-layer transcoder of circuit-tracer.
  static func circuitTracerCLT(_ folder: URL, count: Int) throws -> DictionaryParameters {
    let modelName = try circuitTracerModel(folder)
    var (width, d): (Int?, Int?)
    let layers = try (0..<count).map { read in
      let encoder = try ForeignTensors(folder.appending(path: "W_enc_\(read).safetensors"))
      let decoder = try ForeignTensors(folder.appending(path: "W_dec_\(read).safetensors"))
      try encoder.expectOnly(["W_enc_\(read)", "b_enc_\(read)", "b_dec_\(read)", "threshold_\(read)"])
      let (rows, axes) = try encoder.read("W_enc_\(read)", [width, d])
      (width, d) = (axes[0], axes[1])
      let suffix = try decoder.values("W_dec_\(read)", [axes[0], count - read, axes[1]])
      var full: [Float] = []
      full.reserveCapacity(axes[0] * count * axes[1])
      let length = (count - read) * axes[1]
      for feature in 0..<axes[0] {
        full += repeatElement(0, count: read * axes[1])
        full += suffix[feature * length..<(feature + 1) * length]
      }
      return Layer(
        encoder: transposed(rows, rows: axes[0], columns: axes[1]),
        encoderBias: try encoder.values("b_enc_\(read)", [axes[0]]),
        threshold: try circuitTracerThresholds(encoder, "threshold_\(read)", axes[0]),
        decoder: full, decoderBias: try encoder.values("b_dec_\(read)", [axes[1]]))
    }
    let shape = try DictionaryShape(
      checking: .clt, reads: (0..<count).map { .mlpIn($0) }, writes: (0..<count).map { .mlpOut($0) },
      width: width ?? 0, inputWidth: d ?? 0, outputWidth: d ?? 0)
    return try DictionaryParameters(shape: shape, layers: layers, modelName: modelName)
  }

  /// Zeros without the tensor (ReLU). A negative one would let negative activations pass there.
  private static func circuitTracerThresholds(_ tensors: ForeignTensors, _ name: String, _ width: Int) throws -> [Float]
  {
    guard let thresholds = try tensors.optional(name, [width]) else { return [Float](repeating: 0, count: width) }
    guard let negative = thresholds.first(where: { $0 < 0 }) else { return thresholds }
    throw ConversionError.unreadable(
      path: tensors.file.path,
      reason: "tensor '\(name)' holds \(negative): its feature would have activations below zero, which none has here")
  }

  /// The model that `config.yaml` names, once its hooks are known to be `mlp_in` and `mlp_out`. Without that file
  /// nothing tells what the weights read.
  /// - Throws: `ConversionError.unreadable`.
  private static func circuitTracerModel(_ folder: URL) throws -> String? {
    let file = folder.appending(path: "config.yaml")
    guard FileManager.default.fileExists(atPath: file.path) else {
      throw ConversionError.unreadable(
        path: file.path, reason: "is missing; it tells which hooks the weights belong to")
    }
    let text = try readJSON(file, limit: 1 << 20) { String(decoding: $0, as: UTF8.self) }
    var values: [String: String] = [:]
    // Plain `key: value` lines at the top level; lists and nested keys are not needed.
    for line in text.split(whereSeparator: \.isNewline) {
      guard let first = line.first, first != " ", first != "#", first != "-", let colon = line.firstIndex(of: ":")
      else {
        continue
      }
      let value = line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
      values[String(line[..<colon])] = value.trimmingCharacters(in: CharacterSet(charactersIn: "\"'"))
    }
    for (key, known) in [
      ("feature_input_hook", ["mlp.hook_in", "hook_mlp_in"]), ("feature_output_hook", ["hook_mlp_out"]),
    ] {
      guard let value = values[key], known.contains(value) else {
        throw ConversionError.unreadable(
          path: file.path,
          reason:
            "'\(key)' is \(values[key].map { "'\($0.prefix(200))'" } ?? "missing"); expected \(known[0]), the only "
            + "one that is a site here")
      }
    }
    return values["model_name"]
  }
}
