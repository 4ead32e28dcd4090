import Foundation

/// Numbers as the database's blobs hold them: little-endian, one behind the other.
enum Blob {
  static func of(_ numbers: [Float]) -> Data { of(numbers.map(\.bitPattern)) }

  static func of<Number: FixedWidthInteger>(_ numbers: [Number]) -> Data {
    if Number(1).littleEndian == 1 { return numbers.withUnsafeBytes { Data($0) } }
    var data = Data(capacity: numbers.count * MemoryLayout<Number>.size)
    for number in numbers { withUnsafeBytes(of: number.littleEndian) { data.append(contentsOf: $0) } }
    return data
  }

  /// - Throws: `AtlasError.file` naming `what` for a length that fits no whole numbers.
  static func integers<Number: FixedWidthInteger>(_ data: Data, _: Number.Type, _ what: String) throws -> [Number] {
    let size = MemoryLayout<Number>.size
    guard data.count % size == 0 else {
      throw AtlasError.file(path: what, reason: "a blob of \(data.count) bytes; expected a multiple of \(size)")
    }
    return data.withUnsafeBytes { bytes in
      stride(from: 0, to: bytes.count, by: size).map {
        Number(littleEndian: bytes.loadUnaligned(fromByteOffset: $0, as: Number.self))
      }
    }
  }

  static func floats(_ data: Data, _ what: String) throws -> [Float] {
    try integers(data, UInt32.self, what).map { Float(bitPattern: $0) }
  }
}

/// The activations of an example's window: for each token at which the feature is on its offset from the window's
/// start (u8), its activation and its effect on the logit of the token that came next (f32 each; the effect is NaN
/// where there is none).
enum ActiveBlob {
  static func encode(_ active: [(offset: UInt8, activation: Float, effect: Float?)]) -> Data {
    var data = Data(capacity: active.count * 9)
    for token in active {
      data.append(token.offset)
      for number in [token.activation, token.effect ?? .nan] {
        withUnsafeBytes(of: number.bitPattern.littleEndian) { data.append(contentsOf: $0) }
      }
    }
    return data
  }

  static func decode(_ data: Data) throws -> [(offset: Int, activation: Float, effect: Float?)] {
    guard data.count % 9 == 0 else {
      throw AtlasError.file(path: "example.active", reason: "a blob of \(data.count) bytes; expected a multiple of 9")
    }
    return data.withUnsafeBytes { bytes in
      stride(from: 0, to: bytes.count, by: 9).map { start in
        func float(_ offset: Int) -> Float {
          Float(bitPattern: UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)))
        }
        let effect = float(start + 5)
        return (Int(bytes[start]), float(start + 1), effect.isNaN ? nil : effect)
      }
    }
  }
}

/// What each source token adds to an attention feature: f32 for each token of the window, for the sequence's first
/// token and for all others together, then at most three of these as position (i32) and value (f32).
enum SourcesBlob {
  static func encode(_ sources: KeptExample.Sources) -> Data {
    var data = Blob.of(sources.window + [sources.begin, sources.elsewhere])
    for source in sources.outside { data += Blob.of([source.position]) + Blob.of([source.value]) }
    return data
  }

  static func decode(_ data: Data, length: Int) throws -> KeptExample.Sources {
    let bits = try Blob.integers(data, UInt32.self, "example.sources")
    guard bits.count >= length + 2, (bits.count - length - 2) % 2 == 0 else {
      throw AtlasError.file(path: "example.sources", reason: "\(bits.count) numbers for a window of \(length)")
    }
    let floats = bits.map { Float(bitPattern: $0) }
    let outside = stride(from: length + 2, to: bits.count, by: 2).map {
      (position: Int32(bitPattern: bits[$0]), value: floats[$0 + 1])
    }
    return KeptExample.Sources(
      window: Array(floats[..<length]), begin: floats[length], elsewhere: floats[length + 1], outside: outside)
  }
}
