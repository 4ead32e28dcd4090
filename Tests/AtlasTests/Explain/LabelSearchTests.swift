import Atlas
import Foundation
import GRDB
import Testing

/// Labels that are written into a finished atlas, looked for by words.
@Suite struct LabelSearchTests {
  private let tiny: TinyAtlas
  private let atlas: Atlas

  init() throws {
    tiny = try TinyAtlas(names: ["residual", "crosscoder"])
    atlas = try tiny.build()
  }

  private var keys: [FeatureKey] {
    get throws { try atlas.dictionaries.flatMap { try atlas.features(of: $0.name) } }
  }

  private struct Fixed: Explainer {
    let author: String
    let text: String
    let method = "m"

    func explain(_ feature: ExplainedFeature, check: @Sendable () throws -> Void) throws -> Explanation {
      Explanation(text, promptSHA256: "p")
    }
  }

  @Test func newLabelsAreFoundByWordsAtOnce() throws {
    let live = try atlas.features(of: "residual", live: true)
    let dead = try #require(try keys.first { try atlas.feature($0).rate == 0 })
    let (first, second) = (try #require(live.first), try #require(live.last))
    func label(_ keys: [FeatureKey], _ author: String, _ text: String) throws {
      try ExplanationRun(explainer: Fixed(author: author, text: text), judge: LexicalJudge())
        .explain(keys, of: atlas, into: ExplanationStore(atlas))
    }
    func found(_ words: String) throws -> [FeatureKey] {
      try Atlas(contentsOf: atlas.url).search(words: words, limit: 1000).map(\.key)
    }
    func index() throws -> [String] {
      let queue = try DatabaseQueue(path: atlas.url.path)
      defer { try? queue.close() }
      return try queue.read { db in
        try Row.fetchAll(db, sql: "SELECT * FROM search_text ORDER BY feature_id").map { "\($0)" }
      }
    }
    let before = try index()
    try label([first], "model", "quokkas at dawn")
    #expect(try found("quokkas") == [first] && found("\"at dawn\"").contains(first))
    // Other rows of the index are as they were.
    #expect(try index().count { !before.contains($0) } == 1)
    // Beside it stands another's; both are found, and so is a feature without examples.
    try label([first, dead], "person", "wombats")
    #expect(try found("quokkas wombats") == [first] && Set(found("wombats")) == [first, dead])
    // What a label no longer says is not found any more.
    try label([first, second], "model", "numbats")
    #expect(try found("quokkas").isEmpty && Set(found("numbats")) == [first, second])
    try ExplanationRun(explainer: LexicalExplainer(), judge: LexicalJudge())
      .explain(try keys, of: atlas, into: ExplanationStore(atlas), batch: 5)
    let text = try #require(try atlas.explanations(second).last)
    #expect(try text.author == "lexical" && found("\"\(text.text)\"").contains(second))
    // The index made anew is the same.
    let kept = try index()
    try Atlas.rebuildSearchIndex(of: atlas.url)
    #expect(try index() == kept && kept.count == keys.count && before.count == liveKeys().count)
    #expect(try atlas.check().faults.isEmpty)
    // An atlas that has lost it gets all of it with the next label.
    let queue = try DatabaseQueue(path: atlas.url.path)
    try queue.write { try $0.execute(sql: "DELETE FROM search_text") }
    try queue.close()
    #expect(throws: AtlasError.self) { try found("numbats") }
    try label([first], "person", "kowari")
    #expect(try found("kowari") == [first] && found("numbats").contains(second) && index().count == kept.count)
  }

  /// Those of all dictionaries that have examples.
  private func liveKeys() throws -> [FeatureKey] {
    try atlas.dictionaries.flatMap { try atlas.features(of: $0.name, live: true) }
  }
}
