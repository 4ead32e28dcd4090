package import Tensors

/// Element types of the safetensors format, in its own order: a writer puts the last of them first.
package enum SafetensorsType: String, CaseIterable, Sendable {
  case bool = "BOOL"
  case f4 = "F4"
  case f6e2m3 = "F6_E2M3"
  case f6e3m2 = "F6_E3M2"
  case u8 = "U8"
  case i8 = "I8"
  case f8e5m2 = "F8_E5M2"
  case f8e4m3 = "F8_E4M3"
  case f8e5m2fnuz = "F8_E5M2FNUZ"
  case f8e4m3fnuz = "F8_E4M3FNUZ"
  case f8e8m0 = "F8_E8M0"
  case i16 = "I16"
  case u16 = "U16"
  case f16 = "F16"
  case bf16 = "BF16"
  case i32 = "I32"
  case u32 = "U32"
  case f32 = "F32"
  case c64 = "C64"
  case f64 = "F64"
  case i64 = "I64"
  case u64 = "U64"

  /// The type that holds elements of `dtype`, or nil: the format knows no block formats.
  package init?(_ dtype: DType) {
    guard let type = Self.allCases.first(where: { $0.dtype == dtype }) else { return nil }
    self = type
  }

  /// Bits of one element.
  package var bits: Int {
    switch self {
    case .f4: 4
    case .f6e2m3, .f6e3m2: 6
    case .bool, .u8, .i8, .f8e5m2, .f8e4m3, .f8e5m2fnuz, .f8e4m3fnuz, .f8e8m0: 8
    case .i16, .u16, .f16, .bf16: 16
    case .i32, .u32, .f32: 32
    case .c64, .f64, .i64, .u64: 64
    }
  }

  /// The element type as read here, or nil where it is not.
  package var dtype: DType? {
    switch self {
    case .f64: .f64
    case .f32: .f32
    case .bf16: .bf16
    case .f16: .f16
    case .i8: .i8
    case .i32: .i32
    case .i64: .i64
    default: nil
    }
  }

  /// Place in the format's order.
  package var rank: Int { Self.allCases.firstIndex(of: self) ?? 0 }

  /// Bytes of a tensor, or nil when the shape overflows or ends within a byte.
  package func byteCount(_ shape: [Int]) -> Int? {
    guard let elements = TensorInfo.elementCount(shape) else { return nil }
    let (total, overflow) = elements.multipliedReportingOverflow(by: bits)
    guard !overflow, total % 8 == 0 else { return nil }
    return total / 8
  }
}
