/// Probes of every letter that read a few columns, chosen as SAEBench 0.6.0 chooses a letter's features
/// (`k_sparse_probing.py`, `train_k_sparse_probes`): by the weights of an L1 probe over all columns.
package struct SparseLetterProbes: Sendable {
  /// Whether columns speak for a letter only by being large (features, which are never negative), or by being small
  /// too.
  package enum Choice: Sendable { case largest, largestMagnitude }

  /// For each letter its columns, the best first.
  package let columns: [[Int]]
  /// For each letter the test scores of the probe that reads the first k of its columns, by k. Empty for a letter that
  /// no training word has.
  package let scores: [[Int: DetectionScores]]

  /// - Parameters:
  ///   - sizes: of the probes to train, ascending; those above the number of columns are left out.
  ///   - l1: an L1 probe over the columns of `training`; trained here when nil.
  ///   - options: to train it with; those for as many words as there are when nil.
  package init(
    training: LetterRows, _ trainingLetters: [Int], test: LetterRows, _ testLetters: [Int], sizes: [Int],
    choice: Choice,
    l1: MultiProbe? = nil, options: MultiProbe.Options? = nil, seed: UInt64 = 0,
    check: () throws -> Void = {}
  ) throws {
    let l1 =
      try l1
      ?? MultiProbe.train(
        training, labels: trainingLetters, outputs: FirstLetterConstants.letters.count,
        options: options ?? Self.options(words: training.count), seed: seed, check: check)
    let sizes = sizes.filter { $0 <= training.width }
    var (columns, scores): ([[Int]], [[Int: DetectionScores]]) = ([], [])
    for letter in 0..<l1.outputs {
      try check()
      let chosen = Self.chosen(l1.weights(of: letter), count: sizes.last ?? 0, choice)
      let (known, unknown) = (training.columns(chosen), test.columns(chosen))
      let (labels, testLabels) = (trainingLetters.map { $0 == letter }, testLetters.map { $0 == letter })
      var measured: [Int: DetectionScores] = [:]
      for size in sizes {
        guard let probe = try BalancedLogistic.fit(Array(known.prefix(size)), isPositive: labels) else { continue }
        measured[size] = DetectionScores(
          probe.scores(Array(unknown.prefix(size)), count: testLetters.count), isPositive: testLabels)
      }
      columns.append(chosen)
      scores.append(measured)
    }
    (self.columns, self.scores) = (columns, scores)
  }

  /// The published options; of fewer words than the published ones as many steps.
  package static func options(words: Int) -> MultiProbe.Options {
    var options = FirstLetterConstants.sparseProbe
    let steps = FirstLetterConstants.sparseProbeSteps
    options.batch = max(1, min(options.batch, (words + steps - 1) / steps))
    return options
  }

  /// The `count` largest of `weights`, equal ones by lower index.
  private static func chosen(_ weights: [Double], count: Int, _ choice: Choice) -> [Int] {
    let values = choice == .largest ? weights : weights.map { abs($0) }
    let order = values.indices.sorted { (values[$1], $0) < (values[$0], $1) }
    return Array(order.prefix(count))
  }
}
