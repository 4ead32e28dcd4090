import Checkpoints
import Foundation
import Tensors

/// The weights behind one read: an encoder, a decoder for every write, and biases. Large matrices stay mapped.
///
/// Checkpoint keys: `w_enc` [d_in, F], `b_enc` [F], `threshold` [F], `w_dec` [F, d_out] or [F, writes, d_out],
/// `b_dec` [d_out], `affine_skip_connection` [d_in, d_out]. Gemma Scope 1 writes `W_enc` and `W_dec`.
struct DictionaryLayer: Sendable {
  let path: String
  /// [d_in, F]; in the compact form [F, d_in].
  let encoder: Tensor
  let encoderBias: Tensor
  let threshold: Tensor
  /// [F, writes, d_out], the axis of writes absolute; in the compact form [F · (writes − read), d_out].
  let decoder: Tensor
  let decoderBias: Tensor
  let skip: Tensor?
  /// In the compact form the writes that a feature has rows for, from its own layer on; otherwise nil.
  let compactWrites: Int?

  var width: Int { encoderBias.count }
  var inputWidth: Int { encoder.count / max(width, 1) }
  var outputWidth: Int { decoderBias.count }

  private static let skipName = "affine_skip_connection"

  /// Reads one file's tensors and checks them against one another. Touches the small vectors only.
  /// - Parameter writes: written layers, or nil for a single-layer file, whose `w_dec` has two axes.
  /// - Throws: `DictionaryError.missingTensor`, `.unexpectedTensor`, `.tensor`; `CheckpointError`.
  init(_ source: any TensorSource, path: String, format: DictionaryLayout.Format, writes: Int?) throws {
    self.path = path
    compactWrites = nil
    let reader = LayerReader(source: source, path: path)
    let names = format == .gemmaScope1 ? ["W_enc", "W_dec"] : ["w_enc", "w_dec"]
    let known = names + ["b_enc", "b_dec", "threshold"] + (format == .gemmaScope1 ? [] : [Self.skipName])
    try reader.checkNames(known, required: known.filter { $0 != Self.skipName }, allowOthers: format == .gemmaScope1)

    encoder = try reader.weight(names[0], axes: "[d_in, F]", rank: 2)
    let (inputs, width) = (encoder.shape[0], encoder.shape[1])
    guard width <= Int(Int32.max) else { throw reader.failure(names[0], "at most 2³¹ − 1 features", "\(width)") }
    encoderBias = try reader.vector("b_enc", count: width)
    // An infinite threshold is a feature that never (or, below zero, always) passes; it harms no arithmetic.
    threshold = try reader.vector("threshold", count: width, infiniteAllowed: true)

    let stored = try reader.weight(
      names[1], axes: writes == nil ? "[F, d_out]" : "[F, writes, d_out]", rank: writes == nil ? 2 : 3)
    let outputs = stored.shape[stored.shape.count - 1]
    let expected = [width] + (writes.map { [$0] } ?? []) + [outputs]
    guard stored.shape == expected else { throw reader.failure(names[1], "shape \(expected)", "\(stored.shape)") }
    decoder = try stored.reshaped([width, writes ?? 1, outputs])
    decoderBias = try reader.vector("b_dec", count: decoder.shape[2])

    guard format != .gemmaScope1, source.contains(Self.skipName) else {
      skip = nil
      return
    }
    let skip = try reader.weight(Self.skipName, axes: "[d_in, d_out]", rank: 2)
    guard skip.shape == [inputs, decoder.shape[2]] else {
      throw reader.failure(Self.skipName, "shape \([inputs, decoder.shape[2]])", "\(skip.shape)")
    }
    self.skip = skip
  }

  /// The same weights placed on `backend`.
  init(_ other: DictionaryLayer, on backend: any Backend) throws {
    path = other.path
    compactWrites = other.compactWrites
    encoder = try backend.upload(other.encoder)
    encoderBias = try backend.upload(other.encoderBias)
    threshold = try backend.upload(other.threshold)
    decoder = try backend.upload(other.decoder)
    decoderBias = try backend.upload(other.decoderBias)
    skip = try other.skip.map { try backend.upload($0) }
  }

  /// Bytes of all weights as stored, scales of rows included.
  var byteCount: Int {
    [encoder, encoderBias, threshold, decoder, decoderBias, skip].reduce(0) {
      $0 + ($1?.byteCount ?? 0) + ($1?.rowScale?.byteCount ?? 0)
    }
  }
}

/// Takes checked tensors from one file.
struct LayerReader {
  let source: any TensorSource
  let path: String

  func failure(_ name: String, _ expected: String, _ found: String) -> DictionaryError {
    .tensor(path: path, name: name, expected: expected, found: found)
  }

  func checkNames(_ known: [String], required: [String], allowOthers: Bool) throws {
    if let missing = required.first(where: { !source.contains($0) }) {
      throw DictionaryError.missingTensor(path: path, name: missing)
    }
    if !allowOthers, let extra = source.names.first(where: { !known.contains($0) }) {
      throw DictionaryError.unexpectedTensor(path: path, name: extra, known: known)
    }
  }

  /// A matrix that stays as it is stored.
  func weight(_ name: String, axes: String, rank: Int) throws -> Tensor {
    // The shape is checked before the tensor is asked for: an npz member is unpacked when it is.
    let info = try source.info(name)
    guard info.shape.count == rank, info.shape.allSatisfy({ $0 > 0 }) else {
      throw failure(name, "\(axes), none empty", "shape \(info.shape)")
    }
    guard let dtype = info.dtype, [.f32, .bf16, .f16].contains(dtype) else {
      throw failure(name, "f32, bf16 or f16", info.typeName)
    }
    return try source.tensor(name)
  }

  /// A vector of `count` numbers as fp32, none of them NaN.
  func vector(_ name: String, count: Int, infiniteAllowed: Bool = false) throws -> Tensor {
    let info = try source.info(name)
    guard info.shape == [count] else { throw failure(name, "shape [\(count)]", "\(info.shape)") }
    guard let dtype = info.dtype, [.f32, .bf16, .f16, .f64].contains(dtype) else {
      throw failure(name, "f32, bf16 or f16", info.typeName)
    }
    let stored = try source.tensor(name)
    let values = try stored.read()
    if let index = values.firstIndex(where: { $0.isNaN || $0.isInfinite && !infiniteAllowed }) {
      throw failure(name, infiniteAllowed ? "numbers" : "finite numbers", "\(values[index]) at \(index)")
    }
    return dtype == .f32 ? stored : try Tensor(values, shape: [count])
  }
}
