/// What is known of one feature.
struct FeatureTally: Equatable {
  /// Tokens at which it was on.
  var count = 0
  /// Sequences with such a token.
  var sequences = 0
  /// Sum of its activations, sequence by sequence.
  var sum = 0.0
  var sketch = ActivationSketch()
  var top = TopExamples()
  var binned = BinnedExamples()

  var mean: Double? { count > 0 ? sum / Double(count) : nil }

  /// How examples are chosen.
  struct Settings: Equatable {
    /// Top examples to keep.
    let examples: Int
    let seed: UInt64
  }

  /// Adds the tokens of one batch at which feature `feature` was on: rows ascending.
  mutating func add(
    _ rows: ArraySlice<Int32>, _ activations: ArraySlice<Float>, of batch: BatchRows, feature: Int, settings: Settings
  ) {
    var start = rows.startIndex
    while start < rows.endIndex {
      let sequence = batch.sequences[Int(rows[start])]
      var end = start
      while end < rows.endIndex, batch.sequences[Int(rows[end])] == sequence { end += 1 }
      add(rows[start..<end], activations[start..<end], inSequence: sequence, batch, feature, settings)
      start = end
    }
  }

  private mutating func add(
    _ rows: ArraySlice<Int32>, _ activations: ArraySlice<Float>, inSequence sequence: Int32, _ batch: BatchRows,
    _ feature: Int, _ settings: Settings
  ) {
    count += rows.count
    sequences += 1
    var total = 0.0
    var best = rows.startIndex
    // The entries within the window of the entry at hand.
    var (low, high) = (rows.startIndex, rows.startIndex)
    for entry in rows.indices {
      let activation = activations[entry]
      total += Double(activation)
      sketch.add(activation)
      if activation > activations[best] { best = entry }
      let window = batch.windows[Int(rows[entry])]
      while rows[low] < window.lowerBound { low += 1 }
      while high < rows.endIndex, rows[high] < window.upperBound { high += 1 }
      guard Self.isLargest(entry, of: activations[low..<high]) else { continue }
      let position = batch.positions[Int(rows[entry])]
      let hash = AtlasHash.of(settings.seed, feature, Int(sequence), Int(position))
      binned.offer(activation, hash: hash) { Self.example(entry, rows, activations, batch) }
    }
    sum += total
    top.offer(activations[best], limit: settings.examples) { Self.example(best, rows, activations, batch) }
  }

  /// Whether no other of `window` is larger, nor an earlier one as large.
  private static func isLargest(_ entry: Int, of window: ArraySlice<Float>) -> Bool {
    let activation = window[entry]
    for other in window.indices where window[other] >= activation && other != entry {
      if window[other] > activation || other < entry { return false }
    }
    return true
  }

  private static func example(
    _ entry: Int, _ rows: ArraySlice<Int32>, _ activations: ArraySlice<Float>, _ batch: BatchRows
  ) -> KeptExample {
    let row = Int(rows[entry])
    let window = batch.windows[row]
    let active = rows.indices.filter { window.contains(rows[$0]) }.map {
      KeptExample.Active(offset: UInt8(clamping: rows[$0] - window.lowerBound), activation: activations[$0])
    }
    return KeptExample(
      activation: activations[entry], sequence: batch.sequences[row], position: batch.positions[row],
      start: batch.positions[Int(window.lowerBound)], length: Int32(window.count), active: active)
  }
}
