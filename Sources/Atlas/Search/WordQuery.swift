import Checkpoints
import GRDB

/// Words as someone types them, made into a pattern that SQLite always accepts: all words must occur; those between
/// double quotes one behind the other; one that ends with `*` stands for all that begin like it.
struct WordQuery {
  let pattern: FTS5Pattern

  /// More would be no search any more, and SQLite limits how deep a pattern nests.
  static let mostParts = 32

  /// - Throws: `AtlasError.option` for text without a letter or digit, or with too many parts.
  init(_ text: String) throws {
    let parts = Self.parts(text)
    guard !parts.isEmpty else {
      throw AtlasError.option(name: "words", reason: "'\(text.clipped)' has no word to look for")
    }
    guard parts.count <= Self.mostParts else {
      throw AtlasError.option(
        name: "words", reason: "\(parts.count) words and phrases, expected at most \(Self.mostParts)")
    }
    // What a part's phrase holds are words without any sign that means something in a pattern.
    let phrases = parts.compactMap { part in
      FTS5Pattern(matchingPhrase: part.text).map { $0.rawPattern + (part.isPrefix ? " *" : "") }
    }
    guard !phrases.isEmpty, let pattern = try? FTS5Pattern(rawPattern: phrases.joined(separator: " AND ")) else {
      throw AtlasError.option(name: "words", reason: "'\(text.clipped)' has no word to look for")
    }
    self.pattern = pattern
  }

  private static func parts(_ text: String) -> [(text: String, isPrefix: Bool)] {
    var parts: [(text: String, isPrefix: Bool)] = []
    // Every other piece is between quotes; a quote that is not closed holds the rest.
    for (index, piece) in text.split(separator: "\"", omittingEmptySubsequences: false).enumerated() {
      if index % 2 == 1 {
        parts.append((String(piece), false))
      } else {
        parts += piece.split(whereSeparator: \.isWhitespace).map { (String($0), $0.hasSuffix("*")) }
      }
    }
    return parts.filter { $0.text.unicodeScalars.contains { isWord($0) } }
  }

  /// What SQLite's tokenizer unicode61 makes words of: letters and numbers.
  private static func isWord(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .decimalNumber,
      .letterNumber, .otherNumber:
      true
    default: false
    }
  }
}
