import Tokenization

/// The parts of a first-letter prompt as tokens:
///
///     ⏎cat has the first letter: C⏎ Bear has the first letter: B⏎ … ⏎dog has the first letter:
///
/// Prompts are made of ids rather than text, so that a word is the one token it was drawn as.
struct LetterTemplate: Sendable {
  let bos: Int32
  let separator: [Int32]
  let suffix: [Int32]
  /// For each letter what the answer (" C") is made of.
  let answers: [[Int32]]

  /// - Throws: `EvaluationError.shape` for a vocabulary in which the parts are other tokens together than alone.
  init(_ tokenizer: GemmaTokenizer) throws {
    func encode(_ text: String) -> [Int32] { tokenizer.encode(text, addBOS: false, specials: .asText) }
    bos = tokenizer.bos
    separator = encode(FirstLetterConstants.separator)
    suffix = encode(FirstLetterConstants.suffix)
    answers = FirstLetterConstants.letters.map { encode(" " + $0.uppercased()) }
    for (letter, answer) in zip(FirstLetterConstants.letters, answers) {
      let text = FirstLetterConstants.suffix + " " + letter.uppercased() + FirstLetterConstants.separator
      guard encode(text) == suffix + answer + separator else {
        throw EvaluationError.shape(
          what: "tokens of '\(text.dropLast())'", expected: "those of its parts", found: "\(encode(text))")
      }
    }
  }

  /// Whether the word stays the token it is within a prompt.
  func keeps(_ word: LetterWord, _ tokenizer: GemmaTokenizer) -> Bool {
    let text = FirstLetterConstants.separator + word.text + FirstLetterConstants.suffix
    return tokenizer.encode(text, addBOS: false, specials: .asText) == separator + [word.token] + suffix
  }

  /// A prompt up to and with the word. What would follow the word (`suffix`) cannot change the activations at it.
  func prompt(_ word: LetterWord, examples: [LetterWord]) -> [Int32] {
    [bos] + separator + examples.flatMap { [$0.token] + suffix + answers[$0.letter] + separator } + [word.token]
  }
}
