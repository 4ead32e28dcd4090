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

  /// A matrix product against the sums written out, then its rate at a larger size.
  private static func multiplication(_ backend: NativeBackend) throws -> Checkup {
    let (n, k, m) = (37, 131, 67)
    let (x, w) = (EngineRates.numbers(n * k, seed: 1), EngineRates.numbers(m * k, seed: 2))
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
    let rate = try EngineRates(backend).products() / 1e9
    return Checkup("self test", .ok, "\(backend.name): matrix products are right, \(Format.short(rate)) GFLOP/s")
  }

  private static func bandwidth(_ backend: NativeBackend) throws -> Checkup {
    let rate = try EngineRates(backend).bandwidth() / 1e9
    return Checkup("bandwidth", .ok, "a matrix-vector product reads \(Format.short(rate)) GB/s")
  }
}
