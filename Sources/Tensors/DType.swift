package import CKernels

/// How the elements of a tensor are stored.
///
/// The quantised formats are ggml's: a row is a sequence of blocks, each with its own scales, and is widened to fp32
/// while it is used.
public enum DType: String, Sendable, CaseIterable, CustomStringConvertible {
  case f64, f32, bf16, f16, i8, i32, i64
  case q8_0, q4_0, q4_1, q5_0, q5_1, q4_k, q5_k, q6_k

  public var description: String { rawValue }

  /// Elements that share one stored block; 1 for plain formats.
  public var blockSize: Int {
    switch self {
    case .f64, .f32, .bf16, .f16, .i8, .i32, .i64: 1
    case .q8_0, .q4_0, .q4_1, .q5_0, .q5_1: 32
    case .q4_k, .q5_k, .q6_k: 256
    }
  }

  /// Bytes of one stored block (of one element for plain formats).
  public var bytesPerBlock: Int {
    switch self {
    case .f64, .i64: 8
    case .f32, .i32: 4
    case .bf16, .f16: 2
    case .i8: 1
    case .q8_0: 34
    case .q4_0: 18
    case .q4_1: 20
    case .q5_0: 22
    case .q5_1: 24
    case .q4_k: 144
    case .q5_k: 176
    case .q6_k: 210
    }
  }

  /// Whether rows are made of blocks rather than single elements.
  public var isQuantised: Bool { blockSize > 1 }

  /// Bytes that `count` elements take, or nil when `count` is negative, no whole number of blocks, or too large.
  public func byteCount(elements count: Int) -> Int? {
    guard count >= 0, count % blockSize == 0 else { return nil }
    let (bytes, overflow) = (count / blockSize).multipliedReportingOverflow(by: bytesPerBlock)
    return overflow ? nil : bytes
  }

  /// The kernels' name for this format, or nil where no kernel reads it as a weight.
  package var kernelType: gs_dtype? {
    switch self {
    case .f32: GS_F32
    case .f16: GS_F16
    case .bf16: GS_BF16
    case .i8: GS_I8
    case .q8_0: GS_Q8_0
    case .q4_0: GS_Q4_0
    case .q4_1: GS_Q4_1
    case .q5_0: GS_Q5_0
    case .q5_1: GS_Q5_1
    case .q4_k: GS_Q4_K
    case .q5_k: GS_Q5_K
    case .q6_k: GS_Q6_K
    case .f64, .i32, .i64: nil
    }
  }
}
