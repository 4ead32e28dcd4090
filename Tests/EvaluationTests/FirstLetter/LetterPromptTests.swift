import Checkpoints
import Evaluation
import Foundation
import Gemma
import Sites
import TestSupport
import Tensors
import Testing
import Tokenization

@Suite struct LetterPromptTests {
  /// Single letters, a few pairs and, behind a space, single small letters: 6 words a letter, and `zqy`, which is never
  /// made from letters.
  private static func tokenizer() throws -> GemmaTokenizer {
    var pieces: [(String, Int)] = [("<pad>", 3), ("<eos>", 3), ("<bos>", 3), ("<unk>", 2), ("\u{2581}", 1), (":", 1)]
    pieces += (0..<256).map { ("<0x\($0 < 16 ? "0" : "")\(String($0, radix: 16, uppercase: true))>", 6) }
    let letters = "abcdefghijklmnopqrstuvwxyz".map(String.init)
    pieces += (letters + letters.map { $0.uppercased() }).map { ($0, 1) }
    pieces += letters.flatMap { [("\($0)a", 1), ("\($0)b", 1), ("\($0)c", 1), ("\u{2581}\($0)", 1)] }
    pieces += [("zqy", 1), ("a-", 1), ("\u{2581}\u{2581}", 1)]
    return try GemmaTokenizer(pieces: pieces.map { Array($0.0.utf8) }, types: pieces.map(\.1), file: "words.gguf")
  }

  /// A prompt as text, up to the word (after: what follows it).
  static func text(_ word: String, _ examples: [String], after: Bool) -> String {
    func answer(_ word: String) -> String { word.trimmingCharacters(in: .whitespaces).prefix(1).uppercased() }
    return examples.reduce("\n") { $0 + $1 + " has the first letter: " + answer($1) + "\n" } + word
      + (after ? " has the first letter:" : "")
  }

  @Test func textIsSAEBenchs() throws {
    let metadata = try AbsorptionFixture("words").file.metadata
    let examples = try JSONDecoder().decode([String].self, from: Data(try #require(metadata["examples"]).utf8))
    let word = try #require(metadata["word"])
    #expect(Self.text(word, examples, after: true) == metadata["prompt"])
  }

  @Test func wordsAreTheVocabularys() throws {
    let tokenizer = try Self.tokenizer()
    let all = try LetterWords(tokenizer, perLetter: nil, seed: 1)
    #expect(all.available == (0..<26).map { $0 == 25 ? 7 : 6 } && all.rejected == 1 && all.words.count == 156)
    for word in all.words {
      #expect(tokenizer.piece(word.token).replacing("\u{2581}", with: " ") == word.text)
      #expect(word.text.trimmingCharacters(in: .whitespaces).lowercased().utf8.first == UInt8(97 + word.letter))
    }
    let few = try LetterWords(tokenizer, perLetter: 3, seed: 1)
    #expect(few.words.count == 78 && Set(few.words).isSubset(of: all.words))
    #expect(few.words == (try LetterWords(tokenizer, perLetter: 3, seed: 1).words))
    #expect(few.words != (try LetterWords(tokenizer, perLetter: 3, seed: 2).words))
  }

  @Test func promptsAreTheirText() throws {
    let tokenizer = try Self.tokenizer()
    let words = try LetterWords(tokenizer, perLetter: 5, seed: 1)
    let prompts = try LetterPrompts(words, tokenizer: tokenizer, seed: 4)
    #expect(prompts.training.count == 104 && (prompts.training + prompts.test).sorted() == Array(0..<130))
    let again = try LetterPrompts(words, tokenizer: tokenizer, seed: 4)
    let other = try LetterPrompts(words, tokenizer: tokenizer, seed: 5)
    #expect(prompts.test == again.test && prompts.test != other.test)
    for (index, word) in words.words.enumerated() {
      let examples = prompts.examples(of: index)
      let part = prompts.test.contains(index) ? prompts.test : prompts.training
      #expect(Set(examples).count == 10 && !examples.contains(word))
      #expect(Set(examples).isSubset(of: part.map { words.words[$0] }))
      let ids = prompts.prompt(of: index)
      #expect(ids == again.prompt(of: index) && ids.last == word.token)
      #expect(ids == tokenizer.encode(Self.text(word.text, examples.map(\.text), after: false)), "\(word.text)")
    }
  }

  @Test func fewWordsMakeNoExamples() throws {
    let tokenizer = try Self.tokenizer()
    let words = try LetterWords(tokenizer, perLetter: 1, seed: 1)
    #expect(throws: EvaluationError.self) { _ = try LetterPrompts(words, tokenizer: tokenizer, seed: 1) }
  }
}

/// The real vocabulary and model.
@Suite(.enabled(if: Fixtures.realModel?.pathExtension == "gguf", "SKIPPED: no GGUF; 'make demo' fetches it"))
struct RealLetterTests {
  @Test func wordsPromptsAndActivations() throws {
    let url = try #require(Fixtures.realModel)
    let checkpoint = try GemmaCheckpoint(url)
    let tokenizer = try GemmaTokenizer(gguf: #require(checkpoint.gguf))
    let words = try LetterWords(tokenizer, perLetter: 3, seed: 0)
    #expect(words.available.reduce(0, +) == 139_533 && words.available.min() == 344)
    let prompts = try LetterPrompts(words, tokenizer: tokenizer, seed: 0)
    let suffix = tokenizer.encode(FirstLetterConstants.suffix, addBOS: false)
    let sites: Set<Site> = [Site(.residPost, layer: 0), Site(.residPost, layer: 2)]
    let model = try GemmaModel(checkpoint, backend: NativeBackend())
    var told: [Int] = []
    let activations = try LetterActivations.measure(
      model, prompts, sites: sites, progress: { told.append($0) })
    #expect(told.reduce(0, +) == prompts.words.count && told.count > 1)
    for index in [0, 40, 77] {
      let ids = prompts.prompt(of: index)
      #expect(ids.count == 83)
      let examples = prompts.examples(of: index).map(\.text)
      let text = LetterPromptTests.text(words.words[index].text, examples, after: true)
      #expect(tokenizer.encode(text) == ids + suffix)
      // What follows the word changes nothing at it: the published code reads it six from the end.
      let whole = try model.forward([ids + suffix], capture: sites, logits: .none)
      for site in sites {
        guard case .dense(let values, let width) = try activations.at(site) else { continue }
        let rows = try #require(whole.activations[site])
        let row = try rows.rows(rows.rows - 6..<rows.rows - 5).read()
        expectClose(
          Array(values[index * width..<(index + 1) * width]), row, rowLength: width, tolerance: 2e-5, "\(site)")
      }
    }
  }
}
