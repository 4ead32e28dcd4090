public import Tokenization

/// A token that is a word, or a part of one.
public struct LetterWord: Sendable, Hashable {
  /// Its id.
  public let token: Int32
  /// What it stands for: letters a to z and A to Z, with at most one space before them.
  public let text: String
  /// Its first letter, 0 for a to 25 for z.
  public let letter: Int

  public init(token: Int32, text: String, letter: Int) {
    (self.token, self.text, self.letter) = (token, text, letter)
  }

  /// The word that `piece` is, nil where it is none (SAEBench 0.6.0, `vocab.py`, `get_alpha_tokens`).
  init?(token: Int32, piece: String) {
    let hasSpace = piece.first == "\u{2581}"
    let letters = hasSpace ? piece.dropFirst() : piece[...]
    guard letters.utf8.allSatisfy({ UInt8(ascii: "a")...UInt8(ascii: "z") ~= $0 | 0x20 }),
      let first = letters.utf8.first
    else { return nil }
    self.init(token: token, text: (hasSpace ? " " : "") + letters, letter: Int(first | 0x20) - Int(UInt8(ascii: "a")))
  }
}

/// Words of a vocabulary for the first-letter task.
public struct LetterWords: Sendable {
  /// The words drawn, letter by letter and by token within a letter.
  public let words: [LetterWord]
  /// For each letter how many words the vocabulary has.
  public let available: [Int]
  /// Words that were drawn and left out, since within a prompt they are not one token.
  public let rejected: Int

  /// Draws words.
  /// - Parameter perLetter: most words a letter; nil for all, as published. With as many of every letter a probe's
  ///   positives are 1 in 26, not as rare as the letter is in the vocabulary: the F1 of rare letters is higher.
  /// - Throws: `EvaluationError.shape` for a vocabulary that breaks the prompt's parts otherwise.
  public init(_ tokenizer: GemmaTokenizer, perLetter: Int?, seed: UInt64) throws {
    let template = try LetterTemplate(tokenizer)
    var found = [[LetterWord]](repeating: [], count: FirstLetterConstants.letters.count)
    for id in 0..<Int32(clamping: tokenizer.vocabularySize) where !tokenizer.isSpecial(id) {
      if let word = LetterWord(token: id, piece: tokenizer.piece(id)) { found[word.letter].append(word) }
    }
    available = found.map(\.count)
    var (drawn, rejected): ([LetterWord], Int) = ([], 0)
    for (letter, all) in found.enumerated() {
      var random = DrawRandom(seed: seed, stream: 0x100 + UInt64(letter))
      var kept: [LetterWord] = []
      for word in random.shuffled(all) {
        if let perLetter, kept.count >= perLetter { break }
        if template.keeps(word, tokenizer) { kept.append(word) } else { rejected += 1 }
      }
      drawn += kept.sorted { $0.token < $1.token }
    }
    (words, self.rejected) = (drawn, rejected)
  }
}
