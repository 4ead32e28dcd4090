public import Tensors

extension SparseDictionary {
  /// Codes activations of every read.
  /// - Parameter inputs: one tensor [tokens, inputWidth] for each of `shape.reads`, fp32, of equally many tokens.
  /// - Throws: `DictionaryError.input`, `TensorError`.
  public func encode(_ inputs: [Tensor]) throws -> DictionaryCode {
    try checkInputs(inputs, operation: "encode")
    return try DictionaryCode(inputs.indices.map { try encode(inputs[$0], read: $0) })
  }

  /// Codes the activations of one read: [tokens, inputWidth] → features of that read.
  /// - Throws: `DictionaryError.outOfRange`, `.input`, `TensorError`.
  public func encode(_ input: Tensor, read: Int) throws -> SparseCode {
    try checkRead(read)
    try checkInput(input, operation: "encode")
    guard input.rows > 0 else { return SparseCode(emptyRows: 0) }
    let layer = layers[read]
    fetch(read, layer.encoder)
    defer { giveBack(read, layer.encoder) }
    let (weight, bias) = (try place(read, \.encoder), try place(read, \.encoderBias))
    let threshold = try place(read, \.threshold)
    return try layer.compactWrites == nil
      ? backend.encode(input, weight: weight, bias: bias, threshold: threshold)
      : backend.encode(input, rows: weight, bias: bias, threshold: threshold)
  }

  func checkInputs(_ inputs: [Tensor], operation: String) throws {
    guard inputs.count == shape.reads.count, inputs.allSatisfy({ $0.rows == inputs[0].rows }) else {
      throw DictionaryError.input(
        operation: operation, expected: "\(shape.reads.count) inputs of equally many tokens (\(shape.reads))",
        found: "\(inputs.map(\.shape))")
    }
    for input in inputs { try checkInput(input, operation: operation) }
  }

  func checkInput(_ input: Tensor, operation: String) throws {
    guard input.shape.count == 2, input.shape[1] == shape.inputWidth, input.dtype == .f32 else {
      throw DictionaryError.input(
        operation: operation, expected: "f32 [tokens, \(shape.inputWidth)]", found: "\(input.dtype) \(input.shape)")
    }
  }

  /// A weight on the backend: kept there, or put there for this use when streamed.
  func place(_ read: Int, _ weight: KeyPath<DictionaryLayer, Tensor>) throws -> Tensor {
    if let placed { return placed[read][keyPath: weight] }
    return try backend.upload(layers[read][keyPath: weight])
  }

  /// Asks for a matrix that is about to be read whole.
  func fetch(_ read: Int, _ matrix: Tensor) {
    if isStreamed { files[read].prefetch(matrix) }
  }

  /// Gives back the memory of a matrix after its use.
  func giveBack(_ read: Int, _ matrix: Tensor) {
    if isStreamed { files[read].release(matrix) }
  }
}
