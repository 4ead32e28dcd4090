import Dictionaries
import Evaluation

/// Figures that a dictionary is expected to reach.
struct ReferenceFigures {
  /// Where they come from.
  let source: String
  let l0: Double?
  let fvu: Double?
  let deltaLoss: Double?

  /// The figures measured when it was made (its card), else the L0 it was trained for; nil when nothing is known.
  init?(_ opened: OpenedDictionary) throws {
    let dictionary = opened.dictionary
    let target = dictionary.targetL0 ?? opened.entry?.l0
    if let card = try opened.card() {
      source = card.source
      l0 = card.l0 ?? target
      fvu = card.fvu
      deltaLoss = card.deltaLoss
      return
    }
    guard let target else { return nil }
    let ownSource = dictionary.configuration.targetL0 == nil ? "the path" : "config.json (target)"
    source = dictionary.targetL0 == nil ? "suite.json (target)" : ownSource
    l0 = target
    fvu = nil
    deltaLoss = nil
  }

  /// What is wrong with measured figures, in words; nil when they are as expected. Without a card a dictionary that
  /// misses more than half of the variance, or is off its target L0 by more than four times, is taken to be faulty.
  static func fault(_ measured: ReconstructionMetrics, against reference: ReferenceFigures?) -> String? {
    guard let fvu = measured.total.fvu.value, let l0 = measured.l0.value else {
      return "the activations do not vary, so nothing can be said"
    }
    let limit = reference?.fvu.map { $0 * 2 + 0.02 } ?? 0.5
    if !(fvu <= limit) {
      let expected = reference?.fvu.map { "the card says \(Format.percent($0))" } ?? "expected below 50 %"
      return "FVU is \(Format.percent(fvu)), \(expected)"
    }
    if let target = reference?.l0, target > 0 {
      let factor = reference?.fvu == nil ? 4.0 : 2.0
      if l0 > target * factor || l0 < target / factor {
        return "L0 is \(Format.decimal(l0, 1)), \(reference?.source ?? "") says \(Format.decimal(target, 1))"
      }
    }
    return nil
  }

  /// Published for Gemma 3 1B (pretrained) on tiny prompts, in a third party's run of the official Gemma Scope 2
  /// tutorial; the technical paper has figures without tables. Not yet repeated with this program.
  static let published: [(what: String, l0: String, fvu: String, deltaLoss: String)] = [
    ("resid_post.22 65k medium", "69.9", "2.27 %", "+0.167"),
    ("mlp_out.17 16k medium, fed layer 22", "121.6", "17.1 %", "-"),
    ("attn_out.17 16k medium, fed layer 22", "108.4", "9.99 %", "-"),
    ("crosscoder 262k medium (4 layers)", "75.6", "4.49 %", "+0.15 … +0.80"),
    ("clt 262k big affine (26 layers)", "258", "30.7 %", "-0.05 … +0.04"),
  ]
}
