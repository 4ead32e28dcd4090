import Activations
import Tensors

/// Rows of a window in the order of one of its passes: as they come in the first, freshly shuffled in every other. The
/// order is a pure function of the window's index and the pass.
final class WindowRows {
  let window: ActivationWindow
  private var order: (pass: Int, rows: [Int])?

  init(_ window: ActivationWindow) { self.window = window }

  var count: Int { window.count }

  /// Rows `range` of pass `pass` of tensor `index`, fp32.
  func rows(_ range: Range<Int>, of index: Int, pass: Int, backend: any Backend) throws -> Tensor {
    let tensor = window.tensors[index]
    guard pass > 0 else { return try backend.widen(tensor.rows(range)) }
    if order?.pass != pass { order = (pass, Self.order(window.index, pass: pass, count: count)) }
    let rows = order?.rows[range] ?? []
    guard tensor.dtype == .f32 else {
      return try backend.concatenate(rows.map { try backend.widen(tensor.rows($0..<$0 + 1)) })
    }
    return try backend.select(tensor, rows: Array(rows))
  }

  private static func order(_ window: Int, pass: Int, count: Int) -> [Int] {
    var random = SplitMix64(seed: UInt64(truncatingIfNeeded: window) &* 0x9E37_79B9 &+ UInt64(truncatingIfNeeded: pass))
    return (0..<count).shuffled(using: &random)
  }
}
