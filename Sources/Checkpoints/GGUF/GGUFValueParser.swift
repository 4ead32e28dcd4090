import Tensors

/// Reads strings and metadata values of a GGUF file. The caller keeps the storage alive.
struct GGUFValueParser {
  /// What is wrong with the bytes, for the file's reader to put its name to.
  struct Fault: Error {
    let reason: String
  }

  /// Arrays within arrays: no writer makes them deeper than two, and a deep nest would exhaust the stack.
  static let maximumDepth = 4

  private let storage: HostStorage
  var reader: ByteReader

  init(storage: HostStorage, at offset: Int) {
    self.storage = storage
    reader = ByteReader(UnsafeRawBufferPointer(storage.bytes), at: offset)
  }

  /// Text: its length in 8 bytes, then UTF-8.
  mutating func string(_ what: String) throws -> String {
    let start = reader.offset
    let length = try reader.integer(UInt64.self)
    let range = try reader.skip(length)
    guard let text = String(validating: reader.bytes.slice(range), as: UTF8.self) else {
      throw Fault(reason: "\(what) at byte \(start) is not UTF-8")
    }
    return text
  }

  /// A value of type `number`.
  mutating func value(type number: UInt32) throws -> GGUFValue {
    switch try type(number) {
    case .uint8: .unsigned(UInt64(try reader.integer(UInt8.self)))
    case .uint16: .unsigned(UInt64(try reader.integer(UInt16.self)))
    case .uint32: .unsigned(UInt64(try reader.integer(UInt32.self)))
    case .uint64: .unsigned(try reader.integer(UInt64.self))
    case .int8: .signed(Int64(try reader.integer(Int8.self)))
    case .int16: .signed(Int64(try reader.integer(Int16.self)))
    case .int32: .signed(Int64(try reader.integer(Int32.self)))
    case .int64: .signed(try reader.integer(Int64.self))
    case .float32: .float(Double(Float(bitPattern: try reader.integer(UInt32.self))))
    case .float64: .float(Double(bitPattern: try reader.integer(UInt64.self)))
    case .bool: .bool(try bool())
    case .string: .string(try string("string"))
    case .array: .array(try array(depth: 0))
    }
  }

  /// An array: the type of its elements, their count, and the elements.
  mutating func array(depth: Int) throws -> GGUFArray {
    guard depth < Self.maximumDepth else { throw Fault(reason: "arrays nested deeper than \(Self.maximumDepth)") }
    let elementType = try type(try reader.integer(UInt32.self))
    let length = try reader.integer(UInt64.self)
    guard length <= UInt64(reader.remaining / elementType.minimumByteCount) else {
      throw Fault(
        reason:
          "array of \(length) elements of type \(elementType) at byte \(reader.offset), \(reader.remaining) bytes "
          + "are left")
    }
    let count = Int(length)
    let start = reader.offset
    var offsets: [Int] = []
    if let byteCount = elementType.byteCount {
      _ = try reader.skip(UInt64(count * byteCount))  // no overflow: bounded by the file's size above
    } else {
      offsets.reserveCapacity(count)
      for _ in 0..<count {
        offsets.append(reader.offset)
        if elementType == .string {
          let length = try reader.integer(UInt64.self)
          _ = try reader.skip(length)
        } else {
          _ = try array(depth: depth + 1)
        }
      }
    }
    return GGUFArray(elementType: elementType, count: count, storage: storage, start: start, offsets: offsets)
  }

  private func type(_ number: UInt32) throws -> GGUFType {
    guard let type = GGUFType(rawValue: number) else {
      throw Fault(reason: "unknown metadata type \(number) at byte \(reader.offset - 4)")
    }
    return type
  }

  private mutating func bool() throws -> Bool {
    let byte = try reader.integer(UInt8.self)
    guard byte <= 1 else { throw Fault(reason: "bool of value \(byte) at byte \(reader.offset - 1)") }
    return byte == 1
  }
}
