import Tensors

/// Fills one window: each row goes straight to its shuffled place, so that the window takes its memory once.
struct WindowBuilder {
  let index: Int
  private let widths: [Int]
  private let isHalf: Bool
  private let places: [Int32]
  private let storages: [HostStorage]
  private var tokens: [Int32]
  private(set) var count = 0

  /// - Throws: `TensorError.outOfMemory`.
  init(_ index: Int, widths: [Int], options: WindowOptions) throws {
    self.index = index
    self.widths = widths
    isHalf = options.storage == .bf16
    places = TokenShuffle(seed: options.seed, window: index, count: options.rows).places
    let element = isHalf ? 2 : 4
    storages = try widths.map { width in
      let (bytes, overflow) = (options.rows * element).multipliedReportingOverflow(by: width)
      guard !overflow else { throw TensorError.outOfMemory(bytes: .max) }
      return try HostStorage(byteCount: bytes)
    }
    tokens = [Int32](repeating: 0, count: options.rows)
  }

  var room: Int { places.count - count }

  /// Puts rows `rows` of a tensor ([*, width], fp32), at most `room`, where the next rows of site `site` belong.
  func place(_ tensor: Tensor, site: Int, rows: ArraySlice<Int>) throws {
    let targets = places[count..<count + rows.count]
    let width = widths[site]
    try tensor.withFloats { values in
      if isHalf {
        let out = storages[site].bytes.bindMemory(to: UInt16.self)
        for (row, target) in zip(rows, targets) {
          for i in 0..<width { out[Int(target) * width + i] = BFloat16.bits(values[row * width + i]) }
        }
      } else if width > 0, let source = values.baseAddress,
        let out = storages[site].bytes.bindMemory(to: Float.self).baseAddress
      {
        for (row, target) in zip(rows, targets) {
          (out + Int(target) * width).update(from: source + row * width, count: width)
        }
      }
    }
  }

  /// Goes on behind rows that were placed for every site.
  mutating func advance(over tokens: ArraySlice<Int32>) {
    for (token, target) in zip(tokens, places[count...]) { self.tokens[Int(target)] = token }
    count += tokens.count
  }

  /// The window. One that was not filled keeps the order of its rows' places.
  mutating func finish() throws -> ActivationWindow {
    if room > 0 { close() }
    let dtype: DType = isHalf ? .bf16 : .f32
    let tensors = try zip(storages, widths).map { storage, width in
      try Tensor(storage: storage, shape: [count, width], dtype: dtype)
    }
    return ActivationWindow(index: index, count: count, tensors: tensors, tokens: Array(tokens.prefix(count)))
  }

  /// Closes the gaps that rows which never came have left.
  private mutating func close() {
    for (next, place) in places[..<count].sorted().enumerated() where next < Int(place) {
      for (storage, width) in zip(storages, widths) {
        let length = width * (isHalf ? 2 : 4)
        let from = storage.bytes[Int(place) * length..<(Int(place) + 1) * length]
        UnsafeMutableRawBufferPointer(rebasing: storage.bytes[next * length..<(next + 1) * length])
          .copyMemory(from: UnsafeRawBufferPointer(rebasing: from))
      }
      tokens[next] = tokens[Int(place)]
    }
  }
}

/// bfloat16: the upper half of a Float.
enum BFloat16 {
  /// The nearest bfloat16, ties to even; numbers that are not finite keep their kind.
  @inline(__always)
  static func bits(_ x: Float) -> UInt16 {
    let bits = x.bitPattern
    if bits & 0x7FFF_FFFF > 0x7F80_0000 { return UInt16(truncatingIfNeeded: bits >> 16 | 0x40) }
    return UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ (bits >> 16 & 1)) >> 16)
  }

  @inline(__always)
  static func float(_ bits: UInt16) -> Float { Float(bitPattern: UInt32(bits) << 16) }
}
