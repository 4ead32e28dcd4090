public import Tensors

extension SparseDictionary {
  /// Reconstructs every write: [tokens, outputWidth] for each of `shape.writes`.
  ///
  /// Write j sums reads i ≤ j at place j of the decoder's (absolute) axis of writes; what a file may hold for j < i is
  /// not read. Decoder rows of features that are not active are not read either.
  /// - Parameter inputs: what was encoded; needed by an affine dictionary, which adds `x @ affine_skip_connection`.
  /// - Throws: `DictionaryError.input`, `TensorError`.
  public func decode(_ code: DictionaryCode, inputs: [Tensor]? = nil) throws -> [Tensor] {
    try checkCode(code, reads: shape.reads.count)
    if let inputs { try checkInputs(inputs, operation: "decode") }
    var sums: [Tensor?] = shape.writes.map { _ in nil }
    for read in shape.reads.indices {
      defer { giveBack(read, layers[read].decoder) }
      for write in read..<shape.writes.count {
        sums[write] = try add(code.layers[read], read: read, write: write, to: sums[write])
      }
    }
    return try sums.enumerated().map { write, sum in
      try addSkip(write, to: sum, input: inputs?[write], rows: code.rows)
    }
  }

  /// Reconstructs one write: [tokens, outputWidth].
  /// - Parameters:
  ///   - code: at least the reads up to `write`, so that a model can be followed layer by layer.
  ///   - input: what read `write` encoded; needed by an affine dictionary.
  /// - Throws: `DictionaryError.input`, `.outOfRange`, `TensorError`.
  public func decode(_ code: DictionaryCode, write: Int, input: Tensor? = nil) throws -> Tensor {
    guard shape.writes.indices ~= write else {
      throw DictionaryError.outOfRange(what: "written layer", value: write, limit: shape.writes.count)
    }
    try checkCode(code, reads: write + 1)
    if let input { try checkInput(input, operation: "decode") }
    var sum: Tensor?
    for read in 0...write {
      defer { giveBack(read, layers[read].decoder) }
      sum = try add(code.layers[read], read: read, write: write, to: sum)
    }
    return try addSkip(write, to: sum, input: input, rows: code.rows)
  }

  /// What the active features alone write, without biases and affine part: [tokens, outputWidth] for each of
  /// `shape.writes`. Parts of a code add up: a reconstruction is that of no features plus the contributions of the
  /// parts.
  /// - Throws: `DictionaryError.input`, `.outOfRange`, `TensorError`.
  public func contributions(of code: DictionaryCode) throws -> [Tensor] {
    try checkCode(code, reads: shape.reads.count)
    var sums: [Tensor?] = shape.writes.map { _ in nil }
    for read in shape.reads.indices {
      defer { giveBack(read, layers[read].decoder) }
      for write in read..<shape.writes.count {
        sums[write] = try add(code.layers[read], read: read, write: write, to: sums[write], withBias: false)
      }
    }
    return sums.compactMap { $0 }
  }

  /// Codes and reconstructs in one go.
  /// - Throws: as `encode` and `decode`.
  public func reconstruct(_ inputs: [Tensor]) throws -> (code: DictionaryCode, outputs: [Tensor]) {
    let code = try encode(inputs)
    return (code, try decode(code, inputs: inputs))
  }

  private func add(
    _ code: SparseCode, read: Int, write: Int, to sum: Tensor?, withBias: Bool = true
  ) throws -> Tensor {
    if let sum, code.count == 0 { return sum }
    // b_dec belongs to the write and is added once, with its first contribution.
    let bias = try withBias && sum == nil ? place(write, \.decoderBias) : nil
    let part: Tensor
    if let writes = layers[read].compactWrites {
      part = try backend.decode(
        code.naming(row: write - read, of: writes), weight: place(read, \.decoder), start: 0,
        rowStride: shape.outputWidth, d: shape.outputWidth, bias: bias)
    } else {
      part = try backend.decode(
        code, weight: place(read, \.decoder), start: write * shape.outputWidth,
        rowStride: shape.writes.count * shape.outputWidth, d: shape.outputWidth, bias: bias)
    }
    return try sum.map { try backend.add($0, part, scale: 1) } ?? part
  }

  private func addSkip(_ write: Int, to sum: Tensor?, input: Tensor?, rows: Int) throws -> Tensor {
    guard let sum else { throw DictionaryError.outOfRange(what: "written layer", value: write, limit: 0) }
    guard let stored = layers[write].skip else { return sum }
    guard let input, input.rows == rows else {
      throw DictionaryError.input(
        operation: "decode",
        expected: "the \(rows) rows that \(shape.reads[write]) was encoded from, for the affine part",
        found: input.map { "\($0.rows) rows" } ?? "none")
    }
    fetch(write, stored)
    defer { giveBack(write, stored) }
    let skip = try placed?[write].skip ?? backend.upload(stored)
    return try backend.add(sum, backend.matmul(input, skip), scale: 1)
  }

  private func checkCode(_ code: DictionaryCode, reads: Int) throws {
    guard code.layers.count >= reads, code.layers.count <= shape.reads.count else {
      throw DictionaryError.input(
        operation: "decode", expected: "a code of \(reads) layers", found: "\(code.layers.count) layers")
    }
    for layer in code.layers {
      if let feature = layer.features.first(where: { $0 < 0 || Int($0) >= shape.width }) {
        throw DictionaryError.outOfRange(what: "feature", value: Int(feature), limit: shape.width)
      }
    }
  }
}
