/// A metadata value of a GGUF file.
public enum GGUFValue: Sendable {
  /// uint8, uint16, uint32 or uint64.
  case unsigned(UInt64)
  /// int8, int16, int32 or int64.
  case signed(Int64)
  /// float32 (widened) or float64.
  case float(Double)
  case bool(Bool)
  case string(String)
  case array(GGUFArray)

  /// What kind of value it is, in words.
  public var kind: String {
    switch self {
    case .unsigned: "an unsigned integer"
    case .signed: "an integer"
    case .float: "a float"
    case .bool: "a bool"
    case .string: "a string"
    case .array(let array): "an array of \(array.elementType)"
    }
  }
}

/// The types of GGUF metadata, by their numbers in the file.
public enum GGUFType: UInt32, Sendable, CustomStringConvertible {
  case uint8, int8, uint16, int16, uint32, int32, float32, bool, string, array, uint64, int64, float64

  public var description: String {
    switch self {
    case .uint8: "uint8"
    case .int8: "int8"
    case .uint16: "uint16"
    case .int16: "int16"
    case .uint32: "uint32"
    case .int32: "int32"
    case .float32: "float32"
    case .bool: "bool"
    case .string: "string"
    case .array: "array"
    case .uint64: "uint64"
    case .int64: "int64"
    case .float64: "float64"
    }
  }

  /// Bytes of one value, or nil where that varies.
  var byteCount: Int? {
    switch self {
    case .uint8, .int8, .bool: 1
    case .uint16, .int16: 2
    case .uint32, .int32, .float32: 4
    case .uint64, .int64, .float64: 8
    case .string, .array: nil
    }
  }

  /// The fewest bytes a value takes: lengths are counted before anything is allocated for them.
  var minimumByteCount: Int {
    switch self {
    case .string: 8  // its length
    case .array: 12  // its type and length
    default: byteCount ?? 1
    }
  }
}
