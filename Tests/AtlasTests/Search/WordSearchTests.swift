import Atlas
import Foundation
import GRDB
import Testing

/// Search by words, against reading every example.
@Suite struct WordSearchTests {
  let tiny: TinyAtlas
  let atlas: Atlas

  init() throws {
    tiny = try TinyAtlas()
    atlas = try tiny.build()
  }

  /// Writes explanations into the finished file and makes its index anew.
  private func explain(_ labels: [(feature: Int, text: String, score: Double?)]) throws -> Atlas {
    let url = tiny.url("atlas.sqlite")
    let queue = try DatabaseQueue(path: url.path)
    try queue.write { db in
      for (index, label) in labels.enumerated() {
        try db.execute(
          sql: """
            INSERT INTO explanation(id, feature_id, author, method, text, created) VALUES (?, ?, 'a', ?, ?, 'now')
            """,
          arguments: [index, label.feature, "m\(index)", label.text])
        guard let score = label.score else { continue }
        try db.execute(
          sql: """
            INSERT INTO score(explanation_id, test, judge, balanced_accuracy, tp, fn, tn, fp, refused, malformed,
              timed_out, failed, created) VALUES (?, 'detection', 'j', ?, 1, 1, 1, 1, 0, 0, 0, 0, 'now')
            """, arguments: [index, score])
      }
    }
    try queue.close()
    try Atlas.rebuildSearchIndex(of: url)
    return try Atlas(contentsOf: url)
  }

  private func numbers(_ results: [SearchResult]) -> Set<Int> {
    Set(results.filter { $0.key.dictionary == "residual" }.map(\.key.index))
  }

  @Test func plantedExplanationsAreFound() throws {
    let atlas = try explain([
      (3, "names of cafés in Zürich", 0.9), (4, "Zurich alone, and cafes later", nil), (5, "words about quokkas", 0.4),
      (5, "small quokkas", 0.8), (6, "the opposite of quokkas", nil), (7, "ＡＢＣ numbers 2024", nil),
    ])
    func found(_ words: String) throws -> Set<Int> { numbers(try atlas.search(words: words, limit: 200)) }
    #expect(try found("quokkas") == [5, 6] && found("QUOKKAS") == [5, 6] && found("quok*") == [5, 6])
    #expect(try found("quok").isEmpty)
    #expect(try found("zurich") == [3, 4] && found("Zürich") == [3, 4] && found("cafés zürich") == [3, 4])
    #expect(try found("\"cafes in zurich\"") == [3] && found("\"in zürich") == [3])
    #expect(try found("\"opposite of\" quokk*") == [6])
    #expect(try found("2024") == [7])
    // Of several explanations the one that scored best is told.
    let result = try #require(try atlas.search(words: "\"about quokkas\"").first)
    #expect(result.key == FeatureKey(dictionary: "residual", index: 5))
    #expect(result.label == "small quokkas" && result.labelScore == 0.8)
    #expect(try atlas.search(words: "quokkas", in: ["attention"]).isEmpty)
    #expect(try atlas.search(words: "quokkas", in: ["residual"], limit: 1).count == 1)
    // An index made again holds the same.
    try Atlas.rebuildSearchIndex(of: tiny.url("atlas.sqlite"))
    #expect(try numbers(Atlas(contentsOf: tiny.url("atlas.sqlite")).search(words: "quokkas")) == [5, 6])
    #expect(try atlas.check().faults.isEmpty)
  }

  @Test func textOfTheLargestExamplesIsFound() throws {
    // Words that SQLite and this test take apart alike.
    func words(_ text: String) -> [String] {
      text.split { !($0.isASCII && $0.isLetter) }.map(String.init)
    }
    var holders: [String: Set<Int>] = [:]
    var texts: [Int: [String]] = [:]
    for feature in 0..<37 {
      let examples = try atlas.examples(FeatureKey(dictionary: "residual", index: feature), .top).prefix(6)
      texts[feature] = examples.map { String(decoding: $0.tokens.flatMap(\.bytes), as: UTF8.self) }
        .filter { $0.allSatisfy(\.isASCII) }
      for text in texts[feature] ?? [] { for word in words(text) { holders[word, default: []].insert(feature) } }
    }
    #expect(holders.count > 20)
    for (word, features) in holders.sorted(by: { $0.key < $1.key }).prefix(40) {
      #expect(try numbers(atlas.search(words: word, in: ["residual"], limit: 100)).isSuperset(of: features), "\(word)")
    }
    // Neighbouring words of an example are a phrase of it, the other way round of others at most.
    let (feature, pair) = try #require(
      texts.sorted { $0.key < $1.key }.compactMap { feature, list in
        list.compactMap { text -> (Int, [String])? in
          let parts = text.split(separator: " ").map(String.init)
          let inner = parts.dropFirst().dropLast().filter { words($0) == [$0] }
          return inner.count >= 2 && text.contains("\(inner[1]) \(inner[2 % inner.count])")
            ? (feature, [inner[1], inner[2 % inner.count]]) : nil
        }.first
      }.first)
    #expect(try numbers(atlas.search(words: "\"\(pair[0]) \(pair[1])\"", limit: 200)).contains(feature))
    let unheard = try atlas.search(words: "\"\(pair[0]) xyzzy \(pair[1])\"")
    #expect(unheard.isEmpty)
  }

  @Test(arguments: ["", " ", "\"", "\"\"", "*", "()", "\u{0}", "- ^ :", "▁", "\"\"\" \""])
  func textWithoutWordsIsOneError(_ words: String) throws {
    #expect {
      try atlas.search(words: words)
    } throws: { error in
      if case AtlasError.option("words", _) = error { true } else { false }
    }
  }

  @Test(arguments: [
    "NEAR(", "NEAR(a b, 2", "a AND", "OR", "NOT", "label:", "label : a", "a\"", "\"a", "a* *", "^a", "(a", "a)",
    "{a b}:c", "a+b", "a - b", "'; DROP TABLE search; --", "a\u{0}b", "é\"", "漢字", "a, b.", "\\", "x'", "²", "ⅷ",
    "\u{301}a",
  ])
  func signsMeanNothing(_ words: String) throws {
    do {
      _ = try atlas.search(words: words)
    } catch AtlasError.option(let name, _) {
      #expect(name == "words")
    }
  }

  @Test func limitsAreNamed() throws {
    #expect(throws: AtlasError.self) { try atlas.search(words: "a", limit: 0) }
    #expect(throws: AtlasError.self) { try atlas.search(words: "a", in: ["none"]) }
    let many = Array(repeating: "a", count: 1000).joined(separator: " ")
    #expect(throws: AtlasError.self) { try atlas.search(words: many) }
  }
}
