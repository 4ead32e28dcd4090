/// A number that ranks can add up.
public protocol RankSummable: BitwiseCopyable, Sendable {
  static var zero: Self { get }
  /// `total += term`; whole numbers wrap.
  static func accumulate(_ term: Self, into total: inout Self)
}

extension Float: RankSummable {
  @inline(__always) public static func accumulate(_ term: Float, into total: inout Float) { total += term }
}

extension Double: RankSummable {
  @inline(__always) public static func accumulate(_ term: Double, into total: inout Double) { total += term }
}

extension Int: RankSummable {
  @inline(__always) public static func accumulate(_ term: Int, into total: inout Int) { total &+= term }
}

/// Bytes exchanged at a time: bounds the scratch memory of a sum, and keeps MPI's 32-bit counts far away.
private let blockBytes = 64 << 20

extension Communicator {
  /// Replaces every element by its sum over ranks: ((rank 0 + rank 1) + rank 2) + …, the same bits on every rank whatever
  /// MPI library there is, because the order of addition is fixed here (libraries choose theirs by size and topology).
  ///
  /// Each rank gathers one slice of the array from all, adds it up, and the sums are gathered: 2 (R - 1) / R of the
  /// array's bytes are sent by each rank, the least there is. Scratch: 64 MiB.
  /// - Throws: `CollectivesError`.
  public func allReduceSum<Number: RankSummable>(_ values: UnsafeMutableBufferPointer<Number>) throws {
    guard count > 1, !values.isEmpty else { return }
    let block = max(blockBytes / MemoryLayout<Number>.stride, count)
    let slots = min(block, values.count) / count + 1
    let received = UnsafeMutableBufferPointer<Number>.allocate(capacity: slots * count)
    defer { received.deallocate() }
    for start in stride(from: 0, to: values.count, by: block) {
      let end = min(start + block, values.count)
      try sumBlock(UnsafeMutableBufferPointer(rebasing: values[start..<end]), received)
    }
  }

  /// As above, for an array of the same length on every rank.
  public func allReduceSum<Number: RankSummable>(_ values: inout [Number]) throws {
    try values.withUnsafeMutableBufferPointer { try allReduceSum($0) }
  }

  private func sumBlock<Number: RankSummable>(
    _ values: UnsafeMutableBufferPointer<Number>, _ received: UnsafeMutableBufferPointer<Number>
  ) throws {
    let stride = MemoryLayout<Number>.stride
    let bounds = (0...count).map { values.count * $0 / count }
    let mine = bounds[rank]..<bounds[rank + 1]
    let sliceBytes = (0..<count).map { (bounds[$0 + 1] - bounds[$0]) * stride }
    let slices = UnsafeMutableRawBufferPointer(
      start: received.baseAddress, count: mine.count * count * stride)
    try allToAll(
      UnsafeRawBufferPointer(values), sendCounts: sliceBytes, into: slices,
      receiveCounts: Array(repeating: mine.count * stride, count: count))
    for other in 1..<count {
      let terms = other * mine.count
      for i in 0..<mine.count { Number.accumulate(received[terms + i], into: &received[i]) }
    }
    try allGather(
      UnsafeRawBufferPointer(start: received.baseAddress, count: mine.count * stride),
      into: UnsafeMutableRawBufferPointer(values), counts: sliceBytes)
  }
}
