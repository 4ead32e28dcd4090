/// Appends numbers to bytes, little-endian.
struct StateWriter {
  private(set) var bytes: [UInt8] = []

  mutating func put(_ number: some FixedWidthInteger) {
    withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
  }

  mutating func put(_ number: Float) { put(number.bitPattern) }
  mutating func put(_ number: Double) { put(number.bitPattern) }

  /// The count, then the numbers.
  mutating func put<Number: FixedWidthInteger>(_ numbers: [Number]) {
    put(Int64(numbers.count))
    if Number(1).littleEndian == 1 {
      numbers.withUnsafeBytes { bytes.append(contentsOf: $0) }
    } else {
      for number in numbers { put(number) }
    }
  }

  mutating func put(_ text: String) { put(Array(text.utf8)) }

  /// The count, then each element.
  mutating func put<Element>(_ elements: [Element], _ body: (Element, inout StateWriter) -> Void) {
    put(Int64(elements.count))
    for element in elements { body(element, &self) }
  }
}

/// Reads what `StateWriter` wrote; every count is checked against the bytes that are left.
struct StateReader {
  struct Failure: Error {}

  private let bytes: [UInt8]
  private var offset = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  var isAtEnd: Bool { offset == bytes.count }

  mutating func get<Number: FixedWidthInteger>(_: Number.Type = Number.self) throws -> Number {
    let size = MemoryLayout<Number>.size
    guard size <= bytes.count - offset else { throw Failure() }
    defer { offset += size }
    return bytes.withUnsafeBytes { Number(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: Number.self)) }
  }

  mutating func float() throws -> Float { Float(bitPattern: try get()) }
  mutating func double() throws -> Double { Double(bitPattern: try get()) }

  /// A count of things that take at least `size` bytes each.
  private mutating func count(size: Int) throws -> Int {
    let count = try get(Int64.self)
    guard count >= 0, count <= (bytes.count - offset) / max(size, 1) else { throw Failure() }
    return Int(count)
  }

  mutating func numbers<Number: FixedWidthInteger>(_: Number.Type = Number.self) throws -> [Number] {
    let count = try count(size: MemoryLayout<Number>.size)
    return try (0..<count).map { _ in try get() }
  }

  mutating func text() throws -> String { String(decoding: try numbers(UInt8.self), as: UTF8.self) }

  /// - Parameter size: bytes that an element takes at least.
  mutating func elements<Element>(size: Int, _ body: (inout StateReader) throws -> Element) throws -> [Element] {
    let count = try count(size: size)
    return try (0..<count).map { _ in try body(&self) }
  }
}
