package import Tensors

/// An array in a GGUF file's metadata. Its elements stay in the mapped file; of strings, only where each starts is kept
/// (8 bytes each), so that a vocabulary of a quarter million pieces is opened without a quarter million allocations.
public struct GGUFArray: Sendable {
  /// What kind of element the array holds.
  public let elementType: GGUFType
  /// Number of elements.
  public let count: Int

  private let storage: HostStorage
  /// Where the first element starts in the file.
  private let start: Int
  /// Where each element starts, for strings and arrays; empty otherwise.
  private let offsets: [Int]

  package init(elementType: GGUFType, count: Int, storage: HostStorage, start: Int, offsets: [Int]) {
    self.elementType = elementType
    self.count = count
    self.storage = storage
    self.start = start
    self.offsets = offsets
  }

  /// Calls `body` with the bytes of string `index`, which are UTF-8 by the format's rule but not checked to be, and are
  /// valid for the call only. The array must be one of strings and hold `index`: asking for anything else is a mistake of
  /// the program, as a wrong index is for an `Array`, and no file can bring it about (a reader of files looks at
  /// `elementType` first).
  public func withUTF8<Result>(at index: Int, _ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
    precondition(elementType == .string, "an array of \(elementType), not of strings")
    return try withExtendedLifetime(storage) { try body(utf8(at: offsets[index])) }
  }

  /// Calls `body` with the index and bytes of every string in turn, as `withUTF8(at:_:)` does.
  public func forEachUTF8(_ body: (Int, UnsafeRawBufferPointer) throws -> Void) rethrows {
    precondition(elementType == .string, "an array of \(elementType), not of strings")
    try withExtendedLifetime(storage) {
      for index in offsets.indices { try body(index, utf8(at: offsets[index])) }
    }
  }

  /// The bytes of string `index`, under the conditions of `withUTF8(at:_:)`.
  public func bytes(at index: Int) -> [UInt8] { withUTF8(at: index) { Array($0) } }

  /// String `index`, invalid UTF-8 repaired, under the conditions of `withUTF8(at:_:)`.
  public func string(at index: Int) -> String { withUTF8(at: index) { String(decoding: $0, as: UTF8.self) } }

  private func utf8(at offset: Int) -> UnsafeRawBufferPointer {
    // The parser has checked that length and bytes lie within the file.
    let length = Int(UInt64(littleEndian: storage.bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)))
    return UnsafeRawBufferPointer(storage.bytes).slice(offset + 8..<offset + 8 + length)
  }

  /// All elements of an array of whole numbers, or nil when it holds something else or a number beyond Int.
  public func integers() -> [Int]? {
    switch elementType {
    case .uint8: map(UInt8.self) { Int($0) }
    case .int8: map(Int8.self) { Int($0) }
    case .uint16: map(UInt16.self) { Int($0) }
    case .int16: map(Int16.self) { Int($0) }
    case .uint32: map(UInt32.self) { Int($0) }
    case .int32: map(Int32.self) { Int($0) }
    case .int64: map(Int64.self) { Int($0) }
    case .uint64: unsigned()
    case .float32, .float64, .bool, .string, .array: nil
    }
  }

  private func unsigned() -> [Int]? {
    let values = map(UInt64.self) { Int(exactly: $0) }
    let whole = values.compactMap { $0 }
    return whole.count == values.count ? whole : nil
  }

  /// All elements of an array of floats, or nil when it holds something else. float64 is rounded.
  public func floats() -> [Float]? {
    switch elementType {
    case .float32: map(UInt32.self) { Float(bitPattern: $0) }
    case .float64: map(UInt64.self) { Float(Double(bitPattern: $0)) }
    default: nil
    }
  }

  /// All elements of an array of bools, or nil when it holds something else.
  public func bools() -> [Bool]? {
    elementType == .bool ? map(UInt8.self) { $0 != 0 } : nil
  }

  /// All elements of an array of strings, invalid UTF-8 repaired, or nil when it holds something else.
  public func strings() -> [String]? {
    elementType == .string ? offsets.indices.map { string(at: $0) } : nil
  }

  /// The inner arrays of an array of arrays, or nil when it holds something else.
  public func arrays() -> [GGUFArray]? {
    guard elementType == .array else { return nil }
    return withExtendedLifetime(storage) {
      // They parsed once already, when the file was opened.
      try? offsets.map { offset in
        var parser = GGUFValueParser(storage: storage, at: offset)
        return try parser.array(depth: 1)
      }
    }
  }

  private func map<Element: FixedWidthInteger & BitwiseCopyable, Result>(
    _ type: Element.Type, _ transform: (Element) -> Result
  ) -> [Result] {
    withExtendedLifetime(storage) {
      let stride = MemoryLayout<Element>.size
      return (0..<count).map { index in
        transform(
          Element(littleEndian: storage.bytes.loadUnaligned(fromByteOffset: start + index * stride, as: Element.self)))
      }
    }
  }
}
