import Foundation

/// Random numbers that are a pure function of a key and a place, so that every rank makes the rows it holds and all
/// ranks together make the same dictionary. SplitMix64's finaliser over a mixed key.
struct CounterRandom {
  private let key: UInt64

  init(seed: UInt64, stream: UInt64, row: UInt64) {
    key = Self.mix(Self.mix(Self.mix(seed &+ 0x9E37_79B9_7F4A_7C15) ^ stream &* 0xD6E8_FEB8_6659_FD93) ^ row)
  }

  private static func mix(_ value: UInt64) -> UInt64 {
    var z = value &+ 0x9E37_79B9_7F4A_7C15
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// The number at `place`, in (0, 1].
  private func uniform(_ place: UInt64) -> Double {
    Double((Self.mix(key &+ place &* 0x9E37_79B9_7F4A_7C15) >> 11) + 1) * 0x1p-53
  }

  /// Fills `row` with a direction drawn evenly from the sphere: normal numbers (Box–Muller), divided by their length.
  func direction(_ row: UnsafeMutableBufferPointer<Float>) {
    guard !row.isEmpty else { return }
    var square = 0.0
    for j in stride(from: 0, to: row.count, by: 2) {
      let radius = (-2 * log(uniform(UInt64(j)))).squareRoot()
      let angle = 2 * Double.pi * uniform(UInt64(j + 1))
      row[j] = Float(radius * cos(angle))
      if j + 1 < row.count { row[j + 1] = Float(radius * sin(angle)) }
    }
    for value in row { square += Double(value) * Double(value) }
    let scale = Float(1 / max(square.squareRoot(), .leastNormalMagnitude))
    for j in row.indices { row[j] *= scale }
  }
}
