package import Tensors

extension SparseDictionary {
  /// A matrix of one read in Gemma Scope 2's layout, whatever form it is stored in: `w_enc` [d_in, F], `w_dec`
  /// [F, writes, d_out] with the axis of writes absolute, `affine_skip_connection` [d_in, d_out], `b_dec` [d_out].
  /// - Throws: `DictionaryError.outOfRange`, `.missingTensor`, `TensorError`.
  package func plainTensor(_ name: String, read: Int) throws -> Tensor {
    try checkRead(read)
    let layer = layers[read]
    switch name {
    case "w_enc": return layer.encoder
    case "w_dec": return layer.decoder
    case "b_dec": return layer.decoderBias
    case "affine_skip_connection":
      guard let skip = layer.skip else { throw DictionaryError.missingTensor(path: layer.path, name: name) }
      return skip
    default: throw DictionaryError.missingTensor(path: layer.path, name: name)
    }
  }
}
