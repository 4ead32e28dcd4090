import Evaluation
import TestSupport
import Tensors
import Testing

@Suite struct SplitTests {
  /// The L1 probe, the columns it chooses, F1 of probes of one to ten of them and the splits, as SAEBench 0.6.0 has
  /// them.
  @Test func equalSAEBench() throws {
    let fixture = try AbsorptionFixture("splits")
    let training = LetterRows.sparse(try fixture.code("train."), width: 60)
    let test = LetterRows.sparse(try fixture.code("test."), width: 60)
    let (letters, testLetters) = (try fixture.integers("train.labels"), try fixture.integers("test.labels"))
    var options = FirstLetterConstants.sparseProbe
    (options.batch, options.epochs) = (40, 4)
    let l1 = try AbsorptionFixture.start(inputs: 60, outputs: 26).trained(
      on: training, labels: letters, options: options, order: { AbsorptionFixture.order($0, letters.count) })
    #expect(try largestDifference(l1.rowsOfWeights, fixture.floats("l1.weight").map(Double.init)) < 1e-7)
    let found = try SparseLetterProbes(
      training: training, letters, test: test, testLetters, sizes: Array(1...10), choice: .largest, l1: l1)
    #expect(found.columns.flatMap { $0 } == (try fixture.integers("chosen")))
    let f1 = found.scores.map { scores in (1...10).map { scores[$0]?.f1 } }
    let expected = try fixture.doubles("f1")
    #expect(largestDifference(f1.flatMap { $0.map { $0 ?? .nan } }, expected) < 1e-12)
    let splits = f1.map { SplitFeatures.count($0) }
    #expect(splits == (try fixture.integers("splits")))
    #expect(Set(splits).count > 1)
  }

  @Test func jumpsAreMoreThanThreeHundredths() {
    #expect(SplitFeatures.count([]) == 0)
    #expect(SplitFeatures.count([0]) == 1)
    #expect(SplitFeatures.count([nil, nil]) == 1)
    #expect(SplitFeatures.count([0.5, 0.53125]) == 2)
    #expect(SplitFeatures.count([0.5, 0.53]) == 1)
    #expect(SplitFeatures.count([0.5, 0.6, 0.62, 0.9]) == 2)
    #expect(SplitFeatures.count([0.5, 0.4, 0.9]) == 1)
    #expect(SplitFeatures(candidates: [7, 3, 5], f1: [0.2, 0.4, 0.41]).features == [7, 3])
  }

  @Test func columnsAreChosenBySizeAndSign() throws {
    let rows = LetterRows.dense([1, 0, 2, 0, 1, 2], width: 3)
    let l1 = try MultiProbe(inputs: 3, outputs: 1, weights: [0.5, -2, 0.5], biases: [0])
    for (choice, expected) in [(SparseLetterProbes.Choice.largest, [0, 2]), (.largestMagnitude, [1, 0])] {
      let found = try SparseLetterProbes(
        training: rows, [0, 1], test: rows, [0, 1], sizes: [1, 2, 5], choice: choice, l1: l1)
      #expect(found.columns == [expected])
      #expect(found.scores[0].keys.sorted() == [1, 2])
    }
    // No training word has the letter: nothing can be told.
    let none = try SparseLetterProbes(
      training: rows, [3, 3], test: rows, [0, 1], sizes: [1], choice: .largest, l1: l1)
    #expect(none.scores[0].isEmpty)
  }

  /// Steps are kept, so batches shrink with the words.
  @Test func fewWordsHaveSmallBatches() {
    #expect(SparseLetterProbes.options(words: 200_000).batch == 4096)
    #expect(SparseLetterProbes.options(words: 6_240).batch == 223)
    #expect(SparseLetterProbes.options(words: 1).batch == 1)
  }
}
