import Tensors

/// All numbers of a dictionary of any kind in memory, in fp32, laid out as Gemma Scope 2 stores them. It is what
/// training makes, what conversions pass through, and what is written to a folder.
///
/// ```swift
/// let parameters = try DictionaryParameters(dictionary)
/// try parameters.write(to: folder)
/// ```
public struct DictionaryParameters: Sendable, Equatable {
  /// What one read encodes with and writes.
  public struct Layer: Sendable, Equatable {
    /// `w_enc`, [inputWidth, F]: column i is the direction that feature i looks for.
    public var encoder: [Float]
    /// `b_enc`, [F].
    public var encoderBias: [Float]
    /// `threshold`, [F]: what a pre-activation must exceed.
    public var threshold: [Float]
    /// `w_dec`, [F, writes, outputWidth], the axis of writes absolute, with zeros at writes before the read's own;
    /// [F, outputWidth] for single-layer kinds.
    public var decoder: [Float]
    /// `b_dec` of the write at the same place, [outputWidth].
    public var decoderBias: [Float]
    /// `affine_skip_connection`, [inputWidth, outputWidth]; what is written has `x @ skip` added.
    public var skip: [Float]?

    /// A layer; nothing is checked before `DictionaryParameters` is made.
    public init(
      encoder: [Float], encoderBias: [Float], threshold: [Float], decoder: [Float], decoderBias: [Float],
      skip: [Float]? = nil
    ) {
      self.encoder = encoder
      self.encoderBias = encoderBias
      self.threshold = threshold
      self.decoder = decoder
      self.decoderBias = decoderBias
      self.skip = skip
    }
  }

  /// What it reads and writes, and how wide it is.
  public let shape: DictionaryShape
  /// One for each read. Changed counts are found when it is written.
  public var layers: [Layer]
  /// The model it was trained on, as Hugging Face names it.
  public var modelName: String?
  /// The L0 that training aimed at, per token, summed over layers.
  public var targetL0: Double?

  /// - Throws: `DictionaryError.input` when a layer's numbers do not fit `shape`; see `check()`.
  public init(shape: DictionaryShape, layers: [Layer], modelName: String? = nil, targetL0: Double? = nil) throws {
    self.shape = shape
    self.layers = layers
    self.modelName = modelName.map(normalisedModelName)
    self.targetL0 = targetL0
    try check()
  }

  /// Numbers of all layers together.
  public var count: Int {
    layers.reduce(0) { sum, layer in
      sum + layer.encoder.count + 2 * layer.encoderBias.count + layer.decoder.count + layer.decoderBias.count
        + (layer.skip?.count ?? 0)
    }
  }

  /// Checks every count against `shape`, and that all numbers are finite (a threshold may be infinite: a feature that
  /// never fires).
  /// - Throws: `DictionaryError.input` naming the layer and its part.
  public func check() throws {
    func failure(_ part: String, _ expected: String, _ found: String) -> DictionaryError {
      .input(operation: "a dictionary's \(part)", expected: expected, found: found)
    }
    guard layers.count == shape.reads.count else {
      throw failure("layers", "\(shape.reads.count)", "\(layers.count)")
    }
    if let targetL0, !(targetL0 >= 0 && targetL0.isFinite) { throw failure("l0", "a number from 0", "\(targetL0)") }
    let (inputs, width, outputs) = (shape.inputWidth, shape.width, shape.outputWidth)
    for (read, layer) in layers.enumerated() {
      guard (layer.skip != nil) == shape.isAffine else {
        throw failure("affine_skip_connection of layer \(read)", shape.isAffine ? "a matrix" : "none", "the opposite")
      }
      let parts: [(name: String, values: [Float], lengths: [Int])] = [
        ("w_enc", layer.encoder, [inputs, width]), ("b_enc", layer.encoderBias, [width]),
        ("threshold", layer.threshold, [width]), ("w_dec", layer.decoder, [width, shape.writes.count, outputs]),
        ("b_dec", layer.decoderBias, [outputs]), ("affine_skip_connection", layer.skip ?? [], [inputs, outputs]),
      ]
      for part in parts where part.name != "affine_skip_connection" || layer.skip != nil {
        guard let bytes = Tensor.byteCount(shape: part.lengths, dtype: .f32), bytes == 4 * part.values.count else {
          throw failure("\(part.name) of layer \(read)", "\(part.lengths) numbers", "\(part.values.count)")
        }
        let isThreshold = part.name == "threshold"
        if let place = part.values.firstIndex(where: { $0.isNaN || $0.isInfinite && !isThreshold }) {
          throw failure("\(part.name) of layer \(read)", "finite numbers", "\(part.values[place]) at \(place)")
        }
      }
    }
  }
}

extension DictionaryParameters {
  /// All numbers of an opened dictionary, widened to fp32. Decoder rows for writes before their read's own layer, which
  /// no use of a dictionary reads, become zeros.
  /// - Throws: `DictionaryError`, `TensorError`.
  public init(_ dictionary: SparseDictionary) throws {
    let shape = dictionary.shape
    let layers = try shape.reads.indices.map { read in
      var decoder = try dictionary.plainTensor("w_dec", read: read).read()
      for feature in 0..<shape.width where read > 0 {
        let start = feature * shape.writes.count * shape.outputWidth
        for place in start..<start + read * shape.outputWidth { decoder[place] = 0 }
      }
      return Layer(
        encoder: try dictionary.plainTensor("w_enc", read: read).read(),
        encoderBias: try dictionary.layers[read].encoderBias.read(),
        threshold: try dictionary.layers[read].threshold.read(), decoder: decoder,
        decoderBias: try dictionary.layers[read].decoderBias.read(),
        skip: try shape.isAffine ? dictionary.plainTensor("affine_skip_connection", read: read).read() : nil)
    }
    try self.init(shape: shape, layers: layers, modelName: dictionary.modelName, targetL0: dictionary.targetL0)
  }
}
