/// Token ids of the pieces that are one Unicode scalar, in pages of 256 scalars.
struct ScalarTable: Sendable {
  private var pages = [UInt16](repeating: 0, count: 0x110000 >> 8)
  /// Page 0 is the empty one that unused ranges share.
  private var ids = [Int32](repeating: -1, count: 256)

  subscript(_ scalar: UInt32) -> Int32 {
    get { ids[Int(pages[Int(scalar >> 8)]) << 8 | Int(scalar & 0xFF)] }
    set {
      let page = Int(scalar >> 8)
      if pages[page] == 0 {
        pages[page] = UInt16(ids.count >> 8)
        ids.append(contentsOf: repeatElement(-1, count: 256))
      }
      ids[Int(pages[page]) << 8 | Int(scalar & 0xFF)] = newValue
    }
  }

  init(_ pieces: PieceTable) {
    for id in 0..<Int32(pieces.count) where pieces.length(id) <= 4 {
      let scalar = pieces.withBytes(id) { bytes -> UInt32? in
        var index = 0
        let scalar = UTF8Scan.scalar(bytes, &index)
        return index == bytes.count ? scalar : nil
      }
      if let scalar { self[scalar] = id }
    }
  }
}

/// Reading valid UTF-8 a scalar at a time.
enum UTF8Scan {
  /// U+2581, which Gemma's pieces have for a space, in UTF-8.
  static let mark: (UInt8, UInt8, UInt8) = (0xE2, 0x96, 0x81)

  /// The scalar at `index`, which moves past it. Never reads past the end, whatever the bytes.
  @inline(__always)
  static func scalar(_ bytes: UnsafeBufferPointer<UInt8>, _ index: inout Int) -> UInt32 {
    let first = UInt32(bytes[index])
    index += 1
    guard first >= 0xC0 else { return first }
    let count = first < 0xE0 ? 1 : first < 0xF0 ? 2 : 3
    var value = first & (0x3F >> UInt32(count))
    for _ in 0..<count where index < bytes.count {
      value = value << 6 | UInt32(bytes[index] & 0x3F)
      index += 1
    }
    return min(value, 0x10FFFF)
  }

  /// Whether `bytes` are UTF-8 (Unicode standard, table 3-7).
  static func isValid(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
    var index = 0
    while index < bytes.count {
      let first = bytes[index]
      index += 1
      if first < 0x80 { continue }
      let count: Int
      let second: ClosedRange<UInt8>
      switch first {
      case 0xC2...0xDF: (count, second) = (1, 0x80...0xBF)
      case 0xE0: (count, second) = (2, 0xA0...0xBF)
      case 0xED: (count, second) = (2, 0x80...0x9F)
      case 0xE1...0xEF: (count, second) = (2, 0x80...0xBF)
      case 0xF0: (count, second) = (3, 0x90...0xBF)
      case 0xF1...0xF3: (count, second) = (3, 0x80...0xBF)
      case 0xF4: (count, second) = (3, 0x80...0x8F)
      default: return false
      }
      guard count <= bytes.count - index, second ~= bytes[index] else { return false }
      for i in 1..<max(count, 1) where bytes[index + i] & 0xC0 != 0x80 { return false }
      index += count
    }
    return true
  }

  /// Whether U+2581 begins at `index`.
  @inline(__always)
  static func isMark(_ bytes: UnsafeBufferPointer<UInt8>, at index: Int) -> Bool {
    index >= 0 && index + 2 < bytes.count && bytes[index] == mark.0 && bytes[index + 1] == mark.1
      && bytes[index + 2] == mark.2
  }
}
