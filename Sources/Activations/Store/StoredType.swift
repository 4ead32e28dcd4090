import Tensors

/// How activations are stored.
public enum StoredType: String, Codable, CaseIterable, Sendable {
  case fp32
  /// Rounded to nearest even: a relative error up to 2⁻⁹.
  case bf16
  /// A byte an element and an fp32 scale a token, its largest magnitude / 127: an error up to scale / 2.
  case int8

  var dtype: DType {
    switch self {
    case .fp32: .f32
    case .bf16: .bf16
    case .int8: .i8
    }
  }

  /// Bytes of a row of `width` elements.
  func rowBytes(_ width: Int) -> Int { self == .int8 ? width + 4 : width * dtype.bytesPerBlock }
}

/// Rows of one site as they are stored.
struct EncodedRows {
  let type: StoredType
  let width: Int
  private(set) var elements: [UInt8] = []
  /// One a row; int8 only.
  private(set) var scales: [Float] = []

  /// Adds a row of finite numbers.
  mutating func append(_ row: UnsafeBufferPointer<Float>) {
    switch type {
    case .fp32: elements.append(contentsOf: UnsafeRawBufferPointer(row))
    case .bf16:
      withUnsafeTemporaryAllocation(of: UInt16.self, capacity: row.count) { half in
        for i in 0..<row.count { half[i] = BFloat16.bits(row[i]) }
        elements.append(contentsOf: UnsafeRawBufferPointer(half))
      }
    case .int8:
      let largest = row.reduce(0) { max($0, abs($1)) }
      let scale = largest / 127
      scales.append(scale)
      withUnsafeTemporaryAllocation(of: Int8.self, capacity: row.count) { bytes in
        // A scale too small to divide by stands for zeros.
        for i in 0..<row.count {
          bytes[i] = scale.isNormal ? Int8(max(-127, min(127, (row[i] / scale).rounded(.toNearestOrEven)))) : 0
        }
        elements.append(contentsOf: UnsafeRawBufferPointer(bytes))
      }
    }
  }

  mutating func reserve(rows: Int) {
    elements.reserveCapacity(rows * width * type.dtype.bytesPerBlock)
  }

  mutating func removeAll() {
    elements.removeAll(keepingCapacity: true)
    scales.removeAll(keepingCapacity: true)
  }

  /// Widens row `row` of stored `elements` to `out`.
  static func decode(
    _ type: StoredType, _ elements: UnsafeRawBufferPointer, scale: Float, row: Int,
    to out: UnsafeMutableBufferPointer<Float>
  ) {
    let width = out.count
    switch type {
    case .fp32:
      UnsafeMutableRawBufferPointer(out)
        .copyMemory(from: UnsafeRawBufferPointer(rebasing: elements[row * width * 4..<(row + 1) * width * 4]))
    case .bf16:
      let half = elements.bindMemory(to: UInt16.self)
      for i in 0..<width { out[i] = BFloat16.float(half[row * width + i]) }
    case .int8:
      let bytes = elements.bindMemory(to: Int8.self)
      for i in 0..<width { out[i] = Float(bytes[row * width + i]) * scale }
    }
  }
}
