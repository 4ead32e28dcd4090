public import Tokenization

/// Words parted into those that probes are trained on and those that they are tested on, and a prompt for each.
public struct LetterPrompts: Sendable {
  public let words: [LetterWord]
  /// Indices of the words to train on, and of those to test on, ascending.
  public let training, test: [Int]
  private let template: LetterTemplate
  private let seed: UInt64

  /// - Throws: `EvaluationError.shape` for words too few to make examples of, or a vocabulary that does not fit.
  public init(_ words: LetterWords, tokenizer: GemmaTokenizer, seed: UInt64) throws {
    self.words = words.words
    self.seed = seed
    template = try LetterTemplate(tokenizer)
    var random = DrawRandom(seed: seed, stream: 0x5B1)
    let order = random.shuffled(Array(self.words.indices))
    let count = Int(Double(order.count) * FirstLetterConstants.trainingShare)
    (training, test) = (order[..<count].sorted(), order[count...].sorted())
    for part in [training, test] where part.count <= FirstLetterConstants.examples {
      throw EvaluationError.shape(
        what: "words", expected: "more than \(FirstLetterConstants.examples) to train on and as many to test on",
        found: "\(training.count) and \(test.count)")
    }
  }

  /// Examples before word `index`: others of its own part, drawn by a stream of the word's own.
  public func examples(of index: Int) -> [LetterWord] {
    let part = isTest(index) ? test : training
    var random = DrawRandom(seed: seed, stream: 1 << 32 | UInt64(bitPattern: Int64(words[index].token)))
    var chosen: [Int] = []
    while chosen.count < FirstLetterConstants.examples {
      let candidate = part[random.index(below: part.count)]
      if candidate != index, !chosen.contains(candidate) { chosen.append(candidate) }
    }
    return chosen.map { words[$0] }
  }

  /// The prompt of word `index`, up to and with the word: its last token.
  public func prompt(of index: Int) -> [Int32] { template.prompt(words[index], examples: examples(of: index)) }

  private func isTest(_ index: Int) -> Bool {
    var (low, high) = (0, test.count)
    while low < high {
      let middle = (low + high) / 2
      if test[middle] < index { low = middle + 1 } else { high = middle }
    }
    return low < test.count && test[low] == index
  }
}
