import Atlas
import Dictionaries
import Foundation
import GRDB
import Gemma
import Sites
import TestSupport
import Testing

/// What searches leave out, against leaving it out of everything they find.
@Suite struct SearchFilterTests {
  let tiny: TinyAtlas
  let atlas: Atlas

  init() throws {
    tiny = try TinyAtlas()
    atlas = try tiny.build()
    let keys = try atlas.dictionaries.flatMap { try atlas.features(of: $0.name) }
    try ExplanationRun(explainer: LexicalExplainer(), judge: LexicalJudge())
      .explain(keys, of: atlas, into: ExplanationStore(atlas))
  }

  private func detection(_ key: FeatureKey) throws -> Double? {
    try atlas.explanations(key).flatMap(\.scores).filter { $0.test == .detection }.compactMap(\.balancedAccuracy).max()
  }

  private func passes(_ result: SearchResult, _ filter: SearchFilter) throws -> Bool {
    let key = result.key
    let dictionary = try atlas.dictionary(key.dictionary)
    let site = key.layer.flatMap { layer in dictionary.reads.first { $0.layer == layer } } ?? dictionary.reads[0]
    if let wanted = filter.site, site != wanted { return false }
    if let most = filter.maximumRate, try atlas.feature(key).rate > most { return false }
    if let least = filter.minimumScore { return try (detection(key) ?? -1) >= least }
    return true
  }

  @Test(arguments: [
    SearchFilter(site: .residPost(4)), SearchFilter(site: .mlpIn(4)), SearchFilter(site: .residPost(9)),
    SearchFilter(minimumScore: 0.8), SearchFilter(minimumScore: 0), SearchFilter(minimumScore: 1),
    SearchFilter(maximumRate: 0.05), SearchFilter(maximumRate: 0), SearchFilter(maximumRate: 1),
    SearchFilter(site: .residPost(3), minimumScore: 0.6, maximumRate: 0.3), SearchFilter(),
  ])
  func filtersLeaveOut(_ filter: SearchFilter) throws {
    let direction = try tiny.dictionaries[0].decoderRow(feature: 5)
    let key = try #require(try atlas.features(of: "residual", live: true).first)
    let ids = try #require(try atlas.examples(key, .top).first).tokens.map(\.id)
    let result = try tiny.model.forward(
      [ids], capture: Set(tiny.dictionaries.flatMap(\.shape.reads)), logits: .none)
    let code: [(dictionary: String, code: DictionaryCode)] = try tiny.dictionaries.map { dictionary in
      (dictionary.name, try dictionary.encode(dictionary.shape.reads.compactMap { result.activations[$0] }))
    }
    let rows = Array(ids.indices)
    func find(_ filter: SearchFilter, _ limit: Int) throws -> [[SearchResult]] {
      [
        try atlas.search(words: "fires", filter: filter, limit: limit),
        try atlas.search(direction: direction, filter: filter, limit: limit),
        try atlas.search(codes: code, rows: rows, filter: filter, limit: limit),
      ]
    }
    for (found, all) in zip(try find(filter, 7), try find(SearchFilter(), 10_000)) {
      #expect(all.count > 40)
      let expected = try all.filter { try passes($0, filter) }.prefix(7)
      #expect(found.map(\.key) == expected.map(\.key) && found.map(\.score) == expected.map(\.score))
    }
  }

  @Test func theLabelShownIsOneThatPasses() throws {
    let url = tiny.url("atlas.sqlite")
    let queue = try DatabaseQueue(path: url.path)
    try queue.write { db in
      try db.execute(sql: "DELETE FROM score; DELETE FROM explanation")
      for (id, text, detection, fuzzing) in [(1, "told apart", 0.7, 0.5), (2, "seen nowhere", 0.6, 1.0)] {
        try db.execute(
          sql: "INSERT INTO explanation(id, feature_id, author, method, text, created) VALUES (?, 3, 'a', ?, ?, 'now')",
          arguments: [id, "m\(id)", text])
        for (test, accuracy) in [("detection", detection), ("fuzzing", fuzzing)] {
          try db.execute(
            sql: """
              INSERT INTO score(explanation_id, test, judge, balanced_accuracy, tp, fn, tn, fp, refused, malformed,
                timed_out, failed, created) VALUES (?, ?, 'j', ?, 1, 1, 1, 1, 0, 0, 0, 0, 'now')
              """, arguments: [id, test, accuracy])
        }
      }
    }
    try queue.close()
    try Atlas.rebuildSearchIndex(of: url)
    let atlas = try Atlas(contentsOf: url)
    func label(_ score: Double?) throws -> String? {
      try atlas.search(words: "told nowhere", filter: SearchFilter(minimumScore: score)).first?.label
    }
    #expect(try label(nil) == "seen nowhere" && label(0.6) == "seen nowhere")
    #expect(try label(0.65) == "told apart" && label(0.7) == "told apart" && label(0.71) == nil)
  }

  @Test(arguments: [-0.1, 1.1, .nan, .infinity]) func wrongNumbersAreNamed(_ number: Double) throws {
    for (name, filter) in [
      ("min-score", SearchFilter(minimumScore: number)), ("max-rate", SearchFilter(maximumRate: number)),
    ] {
      #expect {
        try atlas.search(words: "a", filter: filter)
      } throws: { error in
        if case AtlasError.option(name, _) = error { true } else { false }
      }
    }
  }
}
