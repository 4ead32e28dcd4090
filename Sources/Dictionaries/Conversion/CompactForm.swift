import Tensors

/// The compact form, this program's own: Gemma Scope 2's files and names, with the large matrices as int8 rows that
/// each have one fp32 scale, and the safetensors files gzip'ed (`params.safetensors.gz`): a sixth of the bytes.
/// `config.json` has two keys more, `"format":"gemmascope-compact"` and `"version":1`. Files that were unpacked are
/// read as well.
///
/// | tensor | type, shape | scale (fp32) |
/// |---|---|---|
/// | `w_enc_rows` | int8 [F, d_in]: a feature's direction is a row | `w_enc_scale` [F] |
/// | `w_dec_rows` | int8 [F, d_out]; of read i of several [F, writes − i, d_out] | `w_dec_scale` [F] or [F, writes − i] |
/// | `affine_skip_rows` | int8 [d_in, d_out] | `affine_skip_scale` [d_in] |
/// | `b_enc`, `threshold` [F], `b_dec` [d_out] | fp32 | |
///
/// A number is its int8 (−127 … 127) times its row's scale, so that none is off by more than half a scale. The scale is
/// a ninth of the row's root mean square (or, where that would not reach them, a 127th of its largest magnitude): the
/// numbers then have 5.2 bits of information each, which gzip leaves them, and the row is off by 1/1000 of its square
/// norm. (Encoder rows of a dictionary of whose inputs not even the mean is known always have the latter.) Rows stay in
/// the dictionary's units, and so biases and thresholds keep their meaning. The rows are used as they are stored:
/// nothing is widened when a dictionary is opened.
package enum CompactForm {
  /// `format` in `config.json`.
  package static let name = "gemmascope-compact"
  /// `version` in `config.json`.
  package static let version = 1

  /// What follows Gemma Scope 2's file names.
  static let suffix = ".gz"
  /// Steps of the scale in a row's root mean square.
  package static let stepsPerDeviation: Float = 9

  static let encoderRows = "w_enc_rows"
  static let encoderScale = "w_enc_scale"
  static let decoderRows = "w_dec_rows"
  static let decoderScale = "w_dec_scale"
  static let skipRows = "affine_skip_rows"
  static let skipScale = "affine_skip_scale"
  static let vectors = ["b_enc", "threshold", "b_dec"]
}

/// Rows of int8 with one scale each.
package struct QuantisedRows: Sendable, Equatable {
  package private(set) var values: [Int8] = []
  package private(set) var scales: [Float] = []
  package let length: Int

  /// - Parameters:
  ///   - count: of rows.
  ///   - length: of one row.
  ///   - steps: of the scale in a row's root mean square, where they reach all of the row; infinity for the finest.
  ///   - row: fills in row number `i`.
  package init(
    count: Int, length: Int, steps: Float = CompactForm.stepsPerDeviation,
    _ row: (Int, UnsafeMutableBufferPointer<Float>) -> Void
  ) {
    self.length = length
    values.reserveCapacity(count * length)
    scales.reserveCapacity(count)
    var numbers = [Float](repeating: 0, count: length)
    for i in 0..<count {
      numbers.withUnsafeMutableBufferPointer { row(i, $0) }
      append(numbers, steps: steps)
    }
  }

  /// Symmetric, to the nearest multiple of the scale.
  private mutating func append(_ row: [Float], steps: Float) {
    let squares = row.reduce(0.0) { $0 + Double($1) * Double($1) }
    let deviation = Float((squares / Double(max(row.count, 1))).squareRoot())
    let scale = max(row.reduce(0) { max($0, abs($1)) } / 127, deviation / steps)
    scales.append(scale)
    // A row of zeros, or so small that its scale vanishes, is zeros.
    for number in row { values.append(scale > 0 ? Int8(max(-127, min(127, (number / scale).rounded()))) : 0) }
  }

  /// Row `i` in fp32.
  package func row(_ i: Int) -> [Float] { values[i * length..<(i + 1) * length].map { Float($0) * scales[i] } }
}

extension SparseCode {
  /// The same entries for a matrix in which every feature has `count` rows one after another, of which `row` is meant.
  func naming(row: Int, of count: Int) throws -> SparseCode {
    guard count > 1 else { return self }
    return try SparseCode(
      rowOffsets: rowOffsets, features: features.map { $0 * Int32(count) + Int32(row) }, activations: activations)
  }
}

extension Tensor {
  /// Row `row` of int8 rows with scales, in fp32.
  /// - Throws: `TensorError`.
  func scaledRow(_ row: Int) throws -> [Float] {
    guard dtype == .i8, let rowScale, 0..<rows ~= row else {
      throw TensorError.dtype(operation: "row", expected: "int8 with a scale per row", found: dtype)
    }
    var scale: Float = 0
    try withUnsafeMutableBytes(of: &scale) { try rowScale.copy(from: row * MemoryLayout<Float>.size, to: $0) }
    var values = [Int8](repeating: 0, count: rowLength)
    try values.withUnsafeMutableBytes { try storage.copy(from: byteOffset + row * rowLength, to: $0) }
    return values.map { Float($0) * scale }
  }
}
