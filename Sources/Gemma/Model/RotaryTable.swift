import Foundation
import Synchronization
import Tensors

/// Rotary angles of one kind of layer: position p turns pair i by p · base^(−2i/head_dim) / scale.
///
/// The first positions are kept once computed, since every pass needs them again.
final class RotaryTable: Sendable {
  private struct Rows {
    var cosines: [Float] = []
    var sines: [Float] = []
    var count = 0
  }

  /// Positions that are kept: 8 MB at most with heads of 256.
  private static let keptPositions = 8192

  /// fp32, as transformers keeps them: rounding them otherwise would move far positions.
  private let frequencies: [Float]
  private let kept = Mutex(Rows())

  init(base: Double, scale: Double, headDimension: Int) {
    frequencies = (0..<headDimension / 2).map { i in
      let power = Float(pow(base, Double(2 * i) / Double(headDimension)))
      return 1 / power / Float(scale)
    }
  }

  /// Cosine and sine for each of `positions`: [positions, head_dim / 2] each.
  func angles(_ positions: [Int], backend: any Backend) throws -> RotaryAngles {
    let width = frequencies.count
    let needed = (positions.max() ?? -1) + 1
    var rows = Rows()
    if needed <= Self.keptPositions {
      let known = kept.withLock { table in
        append(table.count..<max(table.count, needed), to: &table)
        return table
      }
      for position in positions {
        rows.cosines += known.cosines[position * width..<(position + 1) * width]
        rows.sines += known.sines[position * width..<(position + 1) * width]
      }
    } else {
      append(positions, to: &rows)
    }
    let shape = [positions.count, width]
    return RotaryAngles(
      cosines: try backend.tensor(rows.cosines, shape: shape), sines: try backend.tensor(rows.sines, shape: shape))
  }

  private func append(_ positions: some Collection<Int>, to rows: inout Rows) {
    for position in positions {
      for frequency in frequencies {
        // The product is rounded to fp32 first, again as transformers does.
        let angle = Double(Float(position) * frequency)
        rows.cosines.append(Float(cos(angle)))
        rows.sines.append(Float(sin(angle)))
      }
    }
    rows.count += positions.count
  }
}
