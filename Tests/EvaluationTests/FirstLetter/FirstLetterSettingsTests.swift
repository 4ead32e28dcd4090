import Evaluation
import Testing

@Suite struct FirstLetterSettingsTests {
  /// As in SAEBench 0.6.0's `probing.py` and `k_sparse_probing.py`.
  @Test func publishedOnesAreSAEBenchs() {
    let published = FirstLetterSettings.published
    #expect(published.scaling == .none)
    #expect(published.dense == .init(batch: 64, epochs: 50, rate: 1e-2, endRate: 1e-5, weightDecay: 1e-4))
    let sparse = MultiProbe.Options(batch: 4096, epochs: 50, rate: 1e-2, endRate: 1e-5, weightDecay: 1e-6, l1: 0.01)
    for words in [1, 2080, 111_000] { #expect(published.sparse(words: words) == sparse) }
  }

  @Test func usualOnesKeepTheSteps() {
    let usual = FirstLetterSettings.usual
    #expect(usual.scaling == .centred && usual.dense.epochs == 200)
    for words in [1, 27, 29, 2080, 111_000] {
      let batch = usual.sparse(words: words).batch
      #expect((words + batch - 1) / batch <= 28 && batch <= 4096, "\(words)")
    }
  }
}
