package import Tensors

/// Element types that GGUF files name by number, with the sizes of their blocks.
///
/// Numbers and sizes: ggml's `ggml_type` and `GGML_QUANT_SIZES` of its Python package. Types that are not read here are
/// listed too, so that a file holding some of them can be checked and its other tensors used.
package enum GGMLType: UInt32, CaseIterable, Sendable {
  case f32 = 0
  case f16 = 1
  case q4_0 = 2
  case q4_1 = 3
  case q5_0 = 6
  case q5_1 = 7
  case q8_0 = 8
  case q8_1 = 9
  case q2_k = 10
  case q3_k = 11
  case q4_k = 12
  case q5_k = 13
  case q6_k = 14
  case q8_k = 15
  case iq2_xxs = 16
  case iq2_xs = 17
  case iq3_xxs = 18
  case iq1_s = 19
  case iq4_nl = 20
  case iq3_s = 21
  case iq2_s = 22
  case iq4_xs = 23
  case i8 = 24
  case i16 = 25
  case i32 = 26
  case i64 = 27
  case f64 = 28
  case iq1_m = 29
  case bf16 = 30
  case tq1_0 = 34
  case tq2_0 = 35
  case mxfp4 = 39
  case nvfp4 = 40
  case q1_0 = 41

  /// ggml's name of the type.
  package var name: String { "\(self)".uppercased() }

  /// The element type as read here, or nil where it is not.
  package var dtype: DType? { if case .read(let dtype) = use { dtype } else { nil } }

  /// Elements and bytes of one block.
  package var block: (size: Int, bytes: Int) {
    switch use {
    case .read(let dtype): (dtype.blockSize, dtype.bytesPerBlock)
    case .listed(let size, let bytes): (size, bytes)
    }
  }

  /// What becomes of tensors of a type: read as an element type, or only listed, their blocks having a known size.
  private enum Use {
    case read(DType)
    case listed(size: Int, bytes: Int)
  }

  private var use: Use {
    switch self {
    case .f64: .read(.f64)
    case .f32: .read(.f32)
    case .f16: .read(.f16)
    case .bf16: .read(.bf16)
    case .i8: .read(.i8)
    case .i32: .read(.i32)
    case .i64: .read(.i64)
    case .q8_0: .read(.q8_0)
    case .q4_0: .read(.q4_0)
    case .q4_1: .read(.q4_1)
    case .q5_0: .read(.q5_0)
    case .q5_1: .read(.q5_1)
    case .q4_k: .read(.q4_k)
    case .q5_k: .read(.q5_k)
    case .q6_k: .read(.q6_k)
    case .i16: .listed(size: 1, bytes: 2)
    case .iq4_nl: .listed(size: 32, bytes: 18)
    case .q8_1: .listed(size: 32, bytes: 40)
    case .mxfp4: .listed(size: 32, bytes: 17)
    case .nvfp4: .listed(size: 64, bytes: 36)
    case .q1_0: .listed(size: 128, bytes: 18)
    case .q2_k: .listed(size: 256, bytes: 84)
    case .q3_k, .iq3_s: .listed(size: 256, bytes: 110)
    case .q8_k: .listed(size: 256, bytes: 292)
    case .iq2_xxs, .tq2_0: .listed(size: 256, bytes: 66)
    case .iq2_xs: .listed(size: 256, bytes: 74)
    case .iq3_xxs: .listed(size: 256, bytes: 98)
    case .iq1_s: .listed(size: 256, bytes: 50)
    case .iq2_s: .listed(size: 256, bytes: 82)
    case .iq4_xs: .listed(size: 256, bytes: 136)
    case .iq1_m: .listed(size: 256, bytes: 56)
    case .tq1_0: .listed(size: 256, bytes: 54)
    }
  }
}
