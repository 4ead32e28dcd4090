import Collectives
import Tensors

/// The batches of a stream in their order, dealt to the ranks of a job: each runs the model over one of every `count`, and
/// hands its rows to all when they go into a window. So all ranks build the window that one rank would build, bit for bit,
/// and the pass takes a `count`-th of the time. What is held is one batch a rank, and what one site takes of another.
final class DealtBatches {
  struct Batch {
    /// The rank that ran it.
    let owner: Int
    /// Where it begins.
    let start: SequenceCursor
    /// Of the rows to use.
    let tokens: [Int32]
  }

  private let stream: ActivationStream
  private let communicator: any Communicator
  /// What is left of one batch a rank, in the order of the corpus.
  private var round: ArraySlice<Batch> = []
  /// This rank's.
  private var own: ActivationBatch?

  init(_ stream: ActivationStream, communicator: any Communicator) {
    self.stream = stream
    self.communicator = communicator
  }

  /// Where the next batch begins.
  var cursor: SequenceCursor { round.first?.start ?? stream.cursor }

  func restore(_ cursor: SequenceCursor) throws {
    (round, own) = ([], nil)
    try stream.restore(cursor)
  }

  /// The first batch that was not dropped; nil at the end of the corpus. All ranks call it.
  /// - Throws: on all ranks, what one of them met.
  func first() throws -> Batch? {
    if let first = round.first { return first }
    let starts = try communicator.together {
      var packed: [SequenceBatch] = []
      while packed.count < communicator.count, let next = try stream.pack() { packed.append(next) }
      let rank = communicator.rank
      own = try packed.indices.contains(rank) ? stream.run(packed[rank]) : nil
      return packed.map(\.start)
    }
    let tokens = try communicator.allGather(own?.tokens ?? [])
    round = starts.indices.map { Batch(owner: $0, start: starts[$0], tokens: tokens[$0]) }[...]
    return round.first
  }

  /// Drops the first batch: it is used up.
  func dropFirst() {
    if round.removeFirst().owner == communicator.rank { own = nil }
  }

  /// Puts rows `range` of the first batch into a window. All ranks call it.
  func append(_ range: Range<Int>, to builder: inout WindowBuilder) throws {
    guard let batch = round.first, !range.isEmpty else { return }
    for (site, width) in stream.widths.enumerated() {
      let mine = batch.owner == communicator.rank ? own : nil
      if communicator.count == 1, let mine {
        try builder.place(mine.tensors[site], site: site, rows: mine.rows[range])
        continue
      }
      var rows = [Float](repeating: 0, count: range.count * width)
      if let mine {
        try mine.tensors[site].withFloats { values in
          for (place, row) in mine.rows[range].enumerated() {
            for i in 0..<width { rows[place * width + i] = values[row * width + i] }
          }
        }
      }
      try rows.withUnsafeMutableBytes { try communicator.broadcast($0, from: batch.owner) }
      try builder.place(Tensor(rows, shape: [range.count, width]), site: site, rows: Array(0..<range.count)[...])
    }
    builder.advance(over: batch.tokens[range])
  }
}
