import ArgumentParser
import Tensors

/// Random fp32 values, cheap to make in bulk.
func noise(_ count: Int, seed: UInt64 = 1) -> [Float] {
  var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
  return (0..<count).map { _ in
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Float(Int32(truncatingIfNeeded: state >> 33)) / Float(1 << 30) - 1
  }
}

/// Rounds to bf16 in owned memory.
func bfloat16(_ values: [Float], shape: [Int]) throws -> Tensor {
  let storage = try HostStorage(byteCount: values.count * 2)
  for (i, value) in values.enumerated() {
    let bits = value.bitPattern
    let rounded = UInt16(truncatingIfNeeded: (bits + 0x7FFF + (bits >> 16 & 1)) >> 16)
    storage.bytes.storeBytes(of: rounded, toByteOffset: i * 2, as: UInt16.self)
  }
  return try Tensor(storage: storage, shape: shape, dtype: .bf16)
}

struct GemmBench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "gemm", abstract: "GFLOP/s of x·Wᵀ with fp32 and bf16 weights.")

  @OptionGroup var options: BenchOptions
  @Argument(help: "m, n, k") var shape: [Int]

  func run() throws {
    guard shape.count == 3, shape.allSatisfy({ $0 > 0 }) else { throw ValidationError("expected m n k") }
    let (m, n, k) = (shape[0], shape[1], shape[2])
    let backend = try NativeBackend(threads: options.threads)
    let x = try Tensor(noise(m * k), shape: [m, k])
    let values = noise(n * k, seed: 2)
    let operations = 2 * Double(m) * Double(n) * Double(k)
    var rates: [String: Double] = [:]
    for (name, w) in [("fp32", try Tensor(values, shape: [n, k])), ("bf16", try bfloat16(values, shape: [n, k]))] {
      let seconds = try Measure.median(repeats: options.repeats) { _ = try backend.linear(x, w) }
      rates["\(name)_gflops"] = operations / seconds / 1e9
    }
    try options.report(rates)
  }
}

struct BandwidthBench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "matvec", abstract: "GB/s of weights read by matrix-vector products.")

  @OptionGroup var options: BenchOptions

  func run() throws {
    let backend = try NativeBackend(threads: options.threads)
    let (n, k) = (131_072, 640)
    let x = try Tensor(noise(k), shape: [1, k])
    let values = noise(n * k, seed: 2)
    var rates: [String: Double] = [:]
    for (name, w) in [("fp32", try Tensor(values, shape: [n, k])), ("bf16", try bfloat16(values, shape: [n, k]))] {
      let seconds = try Measure.median(repeats: options.repeats) { _ = try backend.linear(x, w) }
      rates["\(name)_gbytes"] = Double(w.byteCount) / seconds / 1e9
    }
    try options.report(rates)
  }
}

struct DictionaryBench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "dictionary", abstract: "Tokens/s of encoding and decoding (d 640, width 16,384, L0 near 60).")

  @OptionGroup var options: BenchOptions
  @Option(help: "Tokens at once.") var tokens = 1024

  func run() throws {
    let backend = try NativeBackend(threads: options.threads)
    let (d, width) = (640, 16_384)
    let x = try Tensor(noise(tokens * d), shape: [tokens, d])
    let encoder = try Tensor(noise(d * width, seed: 3), shape: [d, width])
    let decoder = try Tensor(noise(width * d, seed: 4), shape: [width, d])
    let bias = try Tensor([Float](repeating: 0, count: width), shape: [width])
    // Pre-activations are sums of 640 products of uniform numbers: normal, standard deviation √640 / 3. The threshold
    // leaves 60 of 16,384 (2.68 deviations).
    let threshold = try Tensor([Float](repeating: Float(640).squareRoot() / 3 * 2.68, count: width), shape: [width])
    var active = 0
    let seconds = try Measure.median(repeats: options.repeats) {
      let code = try backend.encode(x, weight: encoder, bias: bias, threshold: threshold)
      active = code.count
      _ = try backend.decode(code, weight: decoder, start: 0, rowStride: d, d: d, bias: nil)
    }
    try options.report(["tokens_per_second": Double(tokens) / seconds, "l0": Double(active) / Double(tokens)])
  }
}
