import Tensors

/// How fast the engine is on this machine, measured in a fraction of a second. Other work counts: what is measured is
/// what the machine has left.
struct EngineRates {
  private let backend: NativeBackend

  init(_ backend: NativeBackend) { self.backend = backend }

  /// Operations a second of a large product in fp32, two for each multiplication.
  func products() throws -> Double {
    let size = 1024
    let square = try Tensor(Self.numbers(size * size, seed: 3), shape: [size, size])
    return 2 * Double(size * size * size) / (try best { _ = try backend.linear(square, square) })
  }

  /// Bytes a second of a matrix–vector product, which reads every weight once: the rate that decoding can reach.
  func bandwidth() throws -> Double {
    let (rows, width) = (8192, 4096)
    let weight = try Tensor([Float](repeating: 0.5, count: rows * width), shape: [rows, width])
    let x = try Tensor(Self.numbers(width, seed: 4), shape: [1, width])
    return Double(weight.byteCount) / (try best { _ = try backend.linear(x, weight) })
  }

  /// Numbers that look random and are the same everywhere.
  static func numbers(_ count: Int, seed: UInt32) -> [Float] {
    var state = seed
    return (0..<count).map { _ in
      state = state &* 1_664_525 &+ 1_013_904_223
      return Float(state >> 8) / Float(1 << 23) - 1
    }
  }

  /// Seconds of the fastest run: at least three, since the first finds caches and pages cold, and more while that takes no
  /// fifth of a second, since a busy machine may slow all of three.
  private func best(_ body: () throws -> Void) throws -> Double {
    let start = ContinuousClock.now
    var best = Double.infinity
    var runs = 0
    while runs < 3 || ContinuousClock.now - start < .milliseconds(200) {
      try Interruption.check()
      let begun = ContinuousClock.now
      try body()
      best = min(best, (ContinuousClock.now - begun) / .seconds(1))
      runs += 1
    }
    return best
  }
}
