/// Puts GGUF files together by hand, right or wrong.
struct GGUFBytes {
  struct Tensor {
    var name: String
    /// Innermost axis first, as in the file.
    var axes: [UInt64]
    var type: UInt32
    var offset: UInt64
  }

  var magic = "GGUF"
  var version: UInt32 = 3
  var values: [(key: String, type: UInt32, bytes: [UInt8])] = []
  var tensors: [Tensor] = []
  var alignment = 32
  var data: [UInt8] = []
  var tensorCount: UInt64?
  var valueCount: UInt64?

  static func string(_ text: String) -> [UInt8] { string(Array(text.utf8)) }

  static func string(_ text: [UInt8]) -> [UInt8] {
    var bytes = Bytes()
    bytes.add(UInt64(text.count))
    bytes.add(text)
    return bytes.all
  }

  static func array(_ type: UInt32, count: UInt64, _ elements: [UInt8]) -> [UInt8] {
    var bytes = Bytes()
    bytes.add(type)
    bytes.add(count)
    bytes.add(elements)
    return bytes.all
  }

  static func integer(_ value: some FixedWidthInteger & BitwiseCopyable) -> [UInt8] {
    var bytes = Bytes()
    bytes.add(value)
    return bytes.all
  }

  mutating func set(_ key: String, string text: String) { values.append((key, 8, Self.string(text))) }
  mutating func set(_ key: String, uint32 value: UInt32) { values.append((key, 4, Self.integer(value))) }

  /// The file; the padding before the data is left out when there is none.
  var all: [UInt8] {
    var bytes = Bytes()
    bytes.add(magic)
    bytes.add(version)
    bytes.add(tensorCount ?? UInt64(tensors.count))
    bytes.add(valueCount ?? UInt64(values.count))
    for value in values {
      bytes.add(Self.string(value.key))
      bytes.add(value.type)
      bytes.add(value.bytes)
    }
    for tensor in tensors {
      bytes.add(Self.string(tensor.name))
      bytes.add(UInt32(tensor.axes.count))
      for length in tensor.axes { bytes.add(length) }
      bytes.add(tensor.type)
      bytes.add(tensor.offset)
    }
    guard !data.isEmpty else { return bytes.all }
    bytes.add([UInt8](repeating: 0, count: (alignment - bytes.all.count % alignment) % alignment))
    bytes.add(data)
    return bytes.all
  }
}
