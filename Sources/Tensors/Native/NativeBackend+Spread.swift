import CKernels

extension NativeBackend {
  public func spreads(_ x: Tensor, entries: Int, bars: Int) throws -> [RowSpread] {
    let source = try floats(x, "spreads")
    let (rows, n) = (x.rows, x.rowLength)
    guard entries > 0, entries <= n else {
      throw TensorError.outOfRange(operation: "spreads", value: entries, limit: n + 1)
    }
    guard bars > 0, bars <= Int(GS_SPREAD_BARS) else {
      throw TensorError.outOfRange(operation: "spreads", value: bars, limit: Int(GS_SPREAD_BARS) + 1)
    }
    var ids = (top: [Int32](repeating: 0, count: rows * entries), bottom: [Int32](repeating: 0, count: rows * entries))
    var values = (top: [Float](repeating: 0, count: rows * entries), bottom: [Float](repeating: 0, count: rows * entries))
    var counts = [UInt32](repeating: 0, count: rows * bars)
    kernels.spread(
      pool, Int64(rows), Int64(n), source, Int64(n), Int64(entries), Int64(bars), &ids.top, &values.top, &ids.bottom,
      &values.bottom, &counts)
    func list(_ ids: [Int32], _ values: [Float], _ row: Int) -> [RowSpread.Entry] {
      (row * entries..<(row + 1) * entries).map { .init(index: Int(ids[$0]), value: values[$0]) }
    }
    return (0..<rows).map {
      RowSpread(
        top: list(ids.top, values.top, $0), bottom: list(ids.bottom, values.bottom, $0),
        counts: Array(counts[$0 * bars..<($0 + 1) * bars]))
    }
  }
}
