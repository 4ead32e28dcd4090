/// Which token each row of a batch is, and how far a window around it reaches.
struct BatchRows {
  /// For each row its sequence's place in the corpus.
  private(set) var sequences: [Int32] = []
  /// For each row its place in the sequence.
  private(set) var positions: [Int32] = []
  /// Whether the row takes part in statistics.
  private(set) var isCounted: [Bool] = []
  /// The rows of the window around each row that is counted: within the document and the tokens that count.
  private(set) var windows: [Range<Int32>] = []

  /// A sequence of a batch.
  struct Sequence {
    /// Its place in the corpus.
    let index: Int
    let tokens: [Int32]
    /// Positions that count, ascending.
    let counted: [Int]
  }

  /// - Parameters:
  ///   - begin: the token that begins documents; no window holds one.
  ///   - before, after: tokens of a window before and after its own.
  init(_ batch: [Sequence], begin: Int32, before: Int, after: Int) {
    for sequence in batch {
      let start = positions.count
      let last = sequence.counted.last ?? -1
      var counted = [Bool](repeating: false, count: sequence.tokens.count)
      for position in sequence.counted { counted[position] = true }
      var documentStart = 0
      var ends = [Int](repeating: 0, count: sequence.tokens.count)
      var end = last + 1
      for position in sequence.tokens.indices.reversed() {
        if sequence.tokens[position] == begin { end = min(position, last + 1) }
        ends[position] = end
      }
      for (position, token) in sequence.tokens.enumerated() {
        if token == begin { documentStart = position + 1 }
        sequences.append(Int32(sequence.index))
        positions.append(Int32(position))
        isCounted.append(counted[position])
        let low = max(documentStart, position - before)
        let high = max(low, min(ends[position], position + after + 1))
        windows.append(Int32(start + low)..<Int32(start + high))
      }
    }
  }

  var count: Int { positions.count }
}
