import CKernels
import Foundation
import TestSupport

// What the tests of the matrix kernels compare with: stored matrices of random bytes, their weights worked out one by
// one from the definition of each format, and products in double precision.

/// The function tables this machine can run.
var kernelTables: [UnsafePointer<gs_kernels>] {
  [GS_SCALAR, GS_AVX2, GS_AVX512, GS_NEON].compactMap { gs_kernels_for($0) }
}

func name(_ table: UnsafePointer<gs_kernels>) -> String { String(cString: table.pointee.name) }

/// A pool that closes with its owner.
final class TestPool {
  let handle: OpaquePointer

  init(_ threads: Int) throws {
    guard let handle = gs_pool_create(Int32(threads)) else { throw TestPoolError.notCreated }
    self.handle = handle
  }

  deinit { gs_pool_destroy(handle) }
}

enum TestPoolError: Error { case notCreated }

/// A stored format as the tests see it.
enum StoredType: UInt32, CaseIterable {
  case f32, f16, bf16, q8_0, q4_0, q4_1, q5_0, q5_1, q4_K, q5_K, q6_K, i8

  /// Columns that share a header.
  var blockSize: Int {
    switch self {
    case .f32, .f16, .bf16, .i8: 1
    case .q8_0, .q4_0, .q4_1, .q5_0, .q5_1: 32
    case .q4_K, .q5_K, .q6_K: 256
    }
  }

  var blockBytes: Int {
    switch self {
    case .f32: 4
    case .f16, .bf16: 2
    case .i8: 1
    case .q8_0: 34
    case .q4_0: 18
    case .q4_1: 20
    case .q5_0: 22
    case .q5_1: 24
    case .q4_K: 144
    case .q5_K: 176
    case .q6_K: 210
    }
  }

  /// Where a block's half-precision scales stand.
  var halves: [Int] {
    switch self {
    case .q8_0, .q4_0, .q5_0: [0]
    case .q4_1, .q5_1, .q4_K, .q5_K: [0, 2]
    case .q6_K: [208]
    default: []
    }
  }

  /// `size` rounded up to whole blocks.
  func whole(_ size: Int) -> Int { (size + blockSize - 1) / blockSize * blockSize }
}

/// A matrix in a stored format with every weight known.
struct StoredMatrix {
  let type: StoredType
  let rows, cols, rowBytes: Int
  var bytes: [UInt8]
  let rowScales: [Float]?
  let weights: [Float]

  /// Random bytes with scales of ordinary size; `padding` bytes stand between rows.
  init(_ type: StoredType, rows: Int, cols: Int, padding: Int = 0, random: inout SeededRandom) {
    let used = cols / type.blockSize * type.blockBytes
    var bytes = [UInt8](repeating: 0, count: rows * (used + padding))
    for row in 0..<rows {
      for block in 0..<cols / type.blockSize {
        let start = row * (used + padding) + block * type.blockBytes
        for i in 0..<type.blockBytes { bytes[start + i] = UInt8(truncatingIfNeeded: random.next() >> 32) }
        func put(_ pattern: some FixedWidthInteger, at offset: Int) {
          withUnsafeBytes(of: pattern.littleEndian) {
            bytes.replaceSubrange(start + offset..<start + offset + $0.count, with: $0)
          }
        }
        switch type {
        case .f32: put(random.float().bitPattern, at: 0)
        case .f16: put(halfPattern(random.float()), at: 0)
        case .bf16: put(UInt16(random.float().bitPattern >> 16), at: 0)
        default: for offset in type.halves { put(halfPattern(random.float() / 64), at: offset) }
        }
      }
    }
    self.init(
      type, rows: rows, cols: cols, rowBytes: used + padding, bytes: bytes,
      rowScales: type == .i8 ? random.floats(rows, scale: 0.01) : nil)
  }

  init(_ type: StoredType, rows: Int, cols: Int, rowBytes: Int, bytes: [UInt8], rowScales: [Float]? = nil) {
    (self.type, self.rows, self.cols, self.rowBytes) = (type, rows, cols, rowBytes)
    (self.bytes, self.rowScales) = (bytes, rowScales)
    var weights: [Float] = []
    weights.reserveCapacity(rows * cols)
    for row in 0..<rows {
      for col in 0..<cols {
        let start = row * rowBytes + col / type.blockSize * type.blockBytes
        let weight = storedWeight(type, bytes, start, col % type.blockSize)
        weights.append(rowScales.map { $0[row] * weight } ?? weight)
      }
    }
    self.weights = weights
  }

  /// An fp32 matrix of given values.
  init(floats: [Float], rows: Int, cols: Int) {
    let bytes = floats.flatMap { withUnsafeBytes(of: $0.bitPattern.littleEndian, Array.init) }
    self.init(.f32, rows: rows, cols: cols, rowBytes: 4 * cols, bytes: bytes)
  }

  func withMatrix<Result>(_ body: (gs_matrix) throws -> Result) rethrows -> Result {
    try bytes.withUnsafeBytes { data in
      try (rowScales ?? [0]).withUnsafeBufferPointer { scales in
        try body(
          gs_matrix(
            data: data.baseAddress, dtype: gs_dtype(rawValue: type.rawValue), rows: Int64(rows), cols: Int64(cols),
            row_bytes: Int64(rowBytes), row_scale: rowScales == nil ? nil : scales.baseAddress))
      }
    }
  }

  /// op(W)[input, output] as x·W sees it.
  func weight(_ layout: gs_layout, input: Int, output: Int) -> Double {
    Double(layout == GS_ROWS_ARE_OUTPUTS ? weights[output * cols + input] : weights[input * cols + output])
  }
}

/// The half-precision pattern of a float whose magnitude is an ordinary half, its low bits cut off.
func halfPattern(_ value: Float) -> UInt16 {
  let bits = value.bitPattern
  let exponent = Int(bits >> 23 & 0xff) - 112
  let sign = UInt16(bits >> 31) << 15
  return exponent <= 0 ? sign : sign | UInt16(exponent) << 10 | UInt16(bits >> 13 & 0x3ff)
}

/// The value of a half-precision pattern.
func halfValue(_ pattern: UInt16) -> Float {
  let exponent = Int(pattern >> 10 & 31)
  let fraction = Float(pattern & 0x3ff)
  let sign: Float = pattern >> 15 == 1 ? -1 : 1
  switch exponent {
  case 0: return sign * fraction * 0x1p-24
  case 31: return fraction == 0 ? sign * .infinity : .nan
  default: return sign * Float(sign: .plus, exponent: exponent - 25, significand: 1024 + fraction)
  }
}

/// Weight `index` of the block that starts at byte `start`, by the definition of its format.
func storedWeight(_ type: StoredType, _ bytes: [UInt8], _ start: Int, _ index: Int) -> Float {
  func byte(_ offset: Int) -> Int { Int(bytes[start + offset]) }
  func signed(_ offset: Int) -> Int { Int(Int8(bitPattern: bytes[start + offset])) }
  func short(_ offset: Int) -> UInt16 { UInt16(byte(offset)) | UInt16(byte(offset + 1)) << 8 }
  func half(_ offset: Int) -> Float { halfValue(short(offset)) }
  /// Nibble `index` of 16 bytes: low nibbles come first.
  func nibble(_ offset: Int) -> Int { index < 16 ? byte(offset + index) & 15 : byte(offset + index - 16) >> 4 }
  func fifthBit(_ offset: Int) -> Int { (byte(offset + index / 8) >> (index % 8) & 1) << 4 }
  switch type {
  case .f32:
    return Float(bitPattern: UInt32(short(0)) | UInt32(short(2)) << 16)
  case .f16:
    return half(0)
  case .bf16:
    return Float(bitPattern: UInt32(short(0)) << 16)
  case .i8:
    return Float(signed(0))
  case .q8_0:
    return half(0) * Float(signed(2 + index))
  case .q4_0:
    return half(0) * Float(nibble(2) - 8)
  case .q4_1:
    return half(0) * Float(nibble(4)) + half(2)
  case .q5_0:
    return half(0) * Float((nibble(6) | fifthBit(2)) - 16)
  case .q5_1:
    return half(0) * Float(nibble(8) | fifthBit(4)) + half(2)
  case .q4_K, .q5_K:
    let block = index / 32
    let (scale, minimum): (Int, Int)
    if block < 4 {
      (scale, minimum) = (byte(4 + block) & 63, byte(8 + block) & 63)
    } else {
      scale = byte(8 + block) & 15 | (byte(block) >> 6) << 4
      minimum = byte(8 + block) >> 4 | (byte(4 + block) >> 6) << 4
    }
    let packed = byte((type == .q4_K ? 16 : 48) + block / 2 * 32 + index % 32)
    var q = block % 2 == 0 ? packed & 15 : packed >> 4
    if type == .q5_K { q |= (byte(16 + index % 32) >> block & 1) << 4 }
    return half(0) * Float(scale) * Float(q) - half(2) * Float(minimum)
  case .q6_K:
    let (part, lane) = (index % 128 / 32, index % 32)
    let low = byte(index / 128 * 64 + part % 2 * 32 + lane)
    let high = byte(128 + index / 128 * 32 + lane) >> (2 * part) & 3
    let q = (part < 2 ? low & 15 : low >> 4) | high << 4
    return half(208) * Float(signed(192 + index / 16)) * Float(q - 32)
  }
}

/// x·W in double precision, and beside each value the sum of its terms' magnitudes, which its rounding scales with.
func referenceProduct(_ x: [Float], m: Int, ldx: Int, _ w: StoredMatrix, _ layout: gs_layout, n: Int, k: Int) -> (
  values: [Double], magnitudes: [Double]
) {
  var values = [Double](repeating: 0, count: m * n)
  var magnitudes = values
  for j in 0..<n {
    let column = (0..<k).map { w.weight(layout, input: $0, output: j) }
    for i in 0..<m {
      var (sum, size) = (0.0, 0.0)
      for p in 0..<k {
        let term = Double(x[i * ldx + p]) * column[p]
        sum += term
        size += abs(term)
      }
      values[i * n + j] = sum
      magnitudes[i * n + j] = size
    }
  }
  return (values, magnitudes)
}

/// gelu in its tanh form.
func referenceGelu(_ x: Double) -> Double {
  // x / (1 + e^-2u) is x/2 (1 + tanh u) without its cancellation.
  x / (1 + exp(-2 * 0.797_884_560_802_865_4 * (x + 0.044715 * x * x * x)))
}

/// Bit patterns, in which equal NaNs are equal.
func patterns(_ values: [Float]) -> [UInt32] { values.map(\.bitPattern) }
