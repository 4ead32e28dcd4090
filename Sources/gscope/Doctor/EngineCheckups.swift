import ArgumentParser
import Foundation
import Tensors

/// Whether the kernels compute what they should on this machine, and how fast, in about a second.
enum EngineCheckups {
  static func all() -> [Checkup] {
    do {
      let backend = try EngineSettings().makeBackend()
      return [try multiplication(backend), try bandwidth(backend)]
    } catch let error as ValidationError {
      return [Checkup("self test", .failed, "not run: \(error.message)")]
    } catch let error as CommandError {
      return [Checkup("self test", .failed, "\(error)")]
    } catch {
      return [Checkup("self test", .failed, "\(error)", advice: "try GSCOPE_ISA=scalar")]
    }
  }

  /// Numbers that look random and are the same everywhere.
  private static func numbers(_ count: Int, seed: UInt32) -> [Float] {
    var state = seed
    return (0..<count).map { _ in
      state = state &* 1_664_525 &+ 1_013_904_223
      return Float(state >> 8) / Float(1 << 23) - 1
    }
  }

  /// A matrix product against the sums written out, then its rate at a larger size.
  private static func multiplication(_ backend: NativeBackend) throws -> Checkup {
    let (n, k, m) = (37, 131, 67)
    let (x, w) = (numbers(n * k, seed: 1), numbers(m * k, seed: 2))
    let product = try backend.linear(Tensor(x, shape: [n, k]), Tensor(w, shape: [m, k])).read()
    var largest = 0.0
    for i in 0..<n {
      for j in 0..<m {
        let exact = (0..<k).reduce(0.0) { $0 + Double(x[i * k + $1]) * Double(w[j * k + $1]) }
        largest = max(largest, abs(exact - Double(product[i * m + j])))
      }
    }
    // 131 products of numbers below 1 in fp32 cannot be off by more than this.
    guard largest < 1e-4 else {
      return Checkup(
        "self test", .failed, "a matrix product is wrong by \(largest) with \(backend.name)",
        advice: "set GSCOPE_ISA=scalar")
    }
    let size = 1024
    let square = try Tensor(numbers(size * size, seed: 3), shape: [size, size])
    let seconds = try best(of: 3) { _ = try backend.linear(square, square) }
    let rate = 2 * Double(size * size * size) / seconds / 1e9
    return Checkup("self test", .ok, "\(backend.name): matrix products are right, \(Format.short(rate)) GFLOP/s")
  }

  /// A matrix–vector product reads every weight once: the rate that decoding can reach.
  private static func bandwidth(_ backend: NativeBackend) throws -> Checkup {
    let (rows, width) = (8192, 4096)
    let weight = try Tensor([Float](repeating: 0.5, count: rows * width), shape: [rows, width])
    let x = try Tensor(numbers(width, seed: 4), shape: [1, width])
    let seconds = try best(of: 3) { _ = try backend.linear(x, weight) }
    let rate = Double(weight.byteCount) / seconds / 1e9
    return Checkup("bandwidth", .ok, "a matrix-vector product reads \(Format.short(rate)) GB/s")
  }

  private static func best(of count: Int, _ body: () throws -> Void) throws -> Double {
    var best = Double.infinity
    for _ in 0..<count {
      try Interruption.check()
      let start = ContinuousClock.now
      try body()
      best = min(best, (ContinuousClock.now - start) / .seconds(1))
    }
    return best
  }
}
