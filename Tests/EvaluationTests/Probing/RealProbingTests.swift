import Checkpoints
import Dictionaries
import Evaluation
import Foundation
import Gemma
import TestSupport
import Tensors
import Testing
import Tokenization

/// The shipped dictionary of resid_post.9 on a part of the committed bios.
@Suite(.enabled(if: RealProbing.isPresent, "SKIPPED: no Gemma 3 270M as a GGUF; 'make demo' fetches it"), .serialized)
struct RealProbingTests {
  @Test func professions() throws {
    let (texts, pooled) = try RealProbing.pooled(each: 24)
    let result = try #require(try SparseProbing().measure(texts, label: "profession", pooled).first)
    // The model tells professions apart by facts that no probe was trained on.
    #expect((result.dense.auc.value ?? 0) > 0.9, "\(result.dense.auc)")
    let five = try #require(result.means.last)
    #expect((five.features.accuracy.value ?? 0) > 0.65, "\(five.features.accuracy)")
    for mean in result.means { #expect((mean.features.auc.value ?? 0) > 0.6 && mean.channels.auc.value != nil) }

    let perturbed = try TargetedPerturbation().measure(texts, label: "profession", pooled, dictionary: 0)
    #expect(perturbed.clean.allSatisfy { ($0.value ?? 0) > 0.6 })
    #expect((perturbed.features[4].mean.intended.value ?? 0) > 0)
  }
}

enum RealProbing {
  private static let dictionary = Fixtures.repository.appending(
    path: "suites/gemma-3-270m/resid_post/layer_9_width_2k_l0_60")

  static let isPresent: Bool = {
    guard let model = Fixtures.realModel else { return false }
    return model.pathExtension == "gguf" && model.lastPathComponent.contains("270m")
  }()

  /// - Parameter each: texts of every profession and gender, a third of them for testing.
  static func pooled(each: Int) throws -> (LabelledTexts, PooledActivations) {
    let url = try #require(Fixtures.realModel)
    let backend = try NativeBackend()
    let model = try GemmaModel(contentsOf: url, backend: backend)
    let tokenizer = try GemmaTokenizer(gguf: GGUFFile(url))
    let all = try LabelledTexts(contentsOf: Fixtures.repository.appending(path: "probes/bios.jsonl.gz"))
    var counts: [String: Int] = [:]
    let chosen = all.texts.filter { text in
      let key = "\(text.labels.sorted { $0.key < $1.key }) \(text.isTest)"
      counts[key, default: 0] += 1
      return counts[key, default: 0] <= (text.isTest ? each / 3 : each - each / 3)
    }
    let texts = try LabelledTexts(chosen, name: all.name)
    let special = Set((0..<Int32(tokenizer.vocabularySize)).filter(tokenizer.isSpecial))
    let pooled = try PooledActivations(
      model, dictionaries: [SparseDictionary(contentsOf: dictionary, backend: backend)],
      sequences: texts.sequences(tokenizer), specialTokens: special)
    return (texts, pooled)
  }
}
