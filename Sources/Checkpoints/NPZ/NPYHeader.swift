import Tensors

/// The header of NumPy's array format: a Python dictionary literal with three known keys, read as just that.
///
/// Format: <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>, versions 1 to 3.
struct NPYHeader: Equatable {
  /// What is wrong with the bytes, for the file's reader to put its name to.
  struct Fault: Error {
    let reason: String
  }

  /// NumPy's name of the element type, such as `<f4`.
  let descr: String
  let isFortranOrder: Bool
  let shape: [Int]
  /// Where the elements start.
  let dataStart: Int

  /// More than NumPy itself reads without being asked to.
  static let maximumByteCount = 16_384

  /// Reads the header at the start of `bytes`, which need hold no more than `maximumByteCount` bytes.
  init(_ bytes: UnsafeRawBufferPointer) throws {
    do {
      var reader = ByteReader(bytes)
      let magic = try reader.skip(6)
      guard bytes.slice(magic).elementsEqual([0x93] + Array("NUMPY".utf8)) else {
        throw Fault(reason: "is no .npy array")
      }
      let major = try reader.integer(UInt8.self)
      let minor = try reader.integer(UInt8.self)
      guard 1...3 ~= major, minor == 0 else {
        throw Fault(reason: ".npy version \(major).\(minor), expected 1.0, 2.0 or 3.0")
      }
      let length = major == 1 ? UInt64(try reader.integer(UInt16.self)) : UInt64(try reader.integer(UInt32.self))
      guard length + 12 <= UInt64(Self.maximumByteCount) else { throw Fault(reason: ".npy header of \(length) bytes") }
      let text = try reader.skip(length)
      dataStart = text.upperBound
      var literal = PythonLiteral(bytes.slice(text))
      (descr, isFortranOrder, shape) = try literal.header()
    } catch let end as ByteReader.EndOfBytes {
      throw Fault(reason: ".npy header ends at byte \(end.offset)")
    }
  }

  /// The element type as read here, or nil where it is not.
  var dtype: DType? {
    switch descr {
    case "<f8": .f64
    case "<f4": .f32
    case "<f2": .f16
    case "<i8": .i64
    case "<i4": .i32
    case "|i1", "<i1": .i8
    default: nil
    }
  }

  /// Whether the elements are in row-major order after all: with one axis longer than 1 both orders are the same.
  var isRowMajor: Bool { !isFortranOrder || shape.count { $0 != 1 } <= 1 || shape.contains(0) }
}

/// Just enough of Python's literals to read an array header: one dictionary of strings, bools and tuples of integers.
private struct PythonLiteral {
  private let bytes: UnsafeRawBufferPointer
  private var offset = 0

  init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  private func fault(_ reason: String) -> NPYHeader.Fault { NPYHeader.Fault(reason: ".npy header: \(reason)") }

  mutating func header() throws -> (descr: String, isFortranOrder: Bool, shape: [Int]) {
    var descr: String?
    var order: Bool?
    var shape: [Int]?
    try expect("{")
    while !accept("}") {
      let key = try string()
      try expect(":")
      switch key {
      case "descr" where descr == nil: descr = try string()
      case "fortran_order" where order == nil: order = try bool()
      case "shape" where shape == nil: shape = try tuple()
      case "descr", "fortran_order", "shape": throw fault("'\(key)' given twice")
      default: throw fault("unknown key '\(key)'")
      }
      guard accept(",") else {
        try expect("}")
        break
      }
    }
    skipSpace()
    guard offset == bytes.count else { throw fault("unexpected text after the dictionary") }
    guard let descr, let order, let shape else { throw fault("expected keys 'descr', 'fortran_order' and 'shape'") }
    return (descr, order, shape)
  }

  private mutating func skipSpace() {
    while offset < bytes.count, bytes[offset] == 0x20 || 0x09...0x0D ~= bytes[offset] { offset += 1 }
  }

  private mutating func accept(_ scalar: Unicode.Scalar) -> Bool {
    skipSpace()
    guard offset < bytes.count, bytes[offset] == UInt8(ascii: scalar) else { return false }
    offset += 1
    return true
  }

  private mutating func expect(_ scalar: Unicode.Scalar) throws {
    guard accept(scalar) else { throw fault("expected '\(scalar)' at byte \(offset)") }
  }

  private mutating func string() throws -> String {
    skipSpace()
    guard offset < bytes.count, bytes[offset] == UInt8(ascii: "'") || bytes[offset] == UInt8(ascii: "\"") else {
      throw fault("expected a string at byte \(offset) (arrays of records are not supported)")
    }
    let quote = bytes[offset]
    let start = offset + 1
    offset = start
    while offset < bytes.count, bytes[offset] != quote {
      guard 0x20..<0x7F ~= bytes[offset], bytes[offset] != UInt8(ascii: "\\") else {
        throw fault("unexpected character in a string at byte \(offset)")
      }
      offset += 1
    }
    guard offset < bytes.count else { throw fault("unterminated string") }
    defer { offset += 1 }
    return String(decoding: bytes[start..<offset], as: UTF8.self)
  }

  private mutating func bool() throws -> Bool {
    if acceptWord("True") { return true }
    if acceptWord("False") { return false }
    throw fault("expected True or False at byte \(offset)")
  }

  private mutating func acceptWord(_ word: String) -> Bool {
    skipSpace()
    guard bytes[offset...].starts(with: word.utf8) else { return false }
    offset += word.utf8.count
    return true
  }

  private mutating func tuple() throws -> [Int] {
    var values: [Int] = []
    try expect("(")
    while !accept(")") {
      values.append(try integer())
      guard accept(",") else {
        try expect(")")
        break
      }
    }
    return values
  }

  private mutating func integer() throws -> Int {
    skipSpace()
    let start = offset
    while offset < bytes.count, UInt8(ascii: "0")...UInt8(ascii: "9") ~= bytes[offset] { offset += 1 }
    guard let value = Int(String(decoding: bytes[start..<offset], as: UTF8.self)) else {
      throw fault("expected a length at byte \(start)")
    }
    return value
  }
}
