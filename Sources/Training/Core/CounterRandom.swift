import Foundation
import Tensors

/// Random numbers that are a pure function of a key and a place, so that every rank makes the rows it holds and all
/// ranks together make the same dictionary. SplitMix64's finaliser over a mixed key.
struct CounterRandom {
  private let key: UInt64

  init(seed: UInt64, stream: UInt64, row: UInt64) {
    key = Self.mix(Self.mix(Self.mix(seed &+ SplitMix64.step) ^ stream &* 0xD6E8_FEB8_6659_FD93) ^ row)
  }

  private static func mix(_ value: UInt64) -> UInt64 { SplitMix64.mixed(value &+ SplitMix64.step) }

  /// The number at `place`, in (0, 1].
  private func uniform(_ place: UInt64) -> Double {
    Double((Self.mix(key &+ place &* SplitMix64.step) >> 11) + 1) * 0x1p-53
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
