import Atlas
import Foundation
import GRDB
import TestSupport
import Testing

/// Labels and scores in an atlas.
@Suite struct AtlasExplanationTests {
  private let tiny: TinyAtlas
  private let atlas: Atlas

  init() throws {
    tiny = try TinyAtlas(names: ["residual", "crosscoder"])
    var options = TinyAtlas.options
    (options.examples, options.poolWindows, options.tokens) = (12, 40, 2000)
    atlas = try tiny.build("atlas.sqlite", options)
  }

  private var keys: [FeatureKey] {
    get throws { try atlas.dictionaries.flatMap { try atlas.features(of: $0.name) } }
  }

  private var both: ScoringOptions {
    var options = ScoringOptions()
    options.tests = [.detection, .fuzzing]
    return options
  }

  private func explain(_ keys: [FeatureKey], batch: Int = 64, parallel: Int = 4) throws -> [ExplanationResult] {
    var results: [ExplanationResult] = []
    try ExplanationRun(explainer: LexicalExplainer(), judge: LexicalJudge(), options: both, parallel: parallel)
      .explain(keys, of: atlas, into: ExplanationStore(atlas), batch: batch, report: { results.append($0) })
    return results
  }

  /// Everything but the times.
  private func stored() throws -> [String] {
    try keys.map { key in
      try atlas.explanations(key).map { "\($0.author) \($0.method) \($0.text) \($0.scores)" }.joined(separator: "|")
    }
  }

  /// The evidence is what the atlas shows elsewhere, each sequence on one side, and silence is a fact.
  @Test func evidenceIsTheAtlas() throws {
    let evidence = try AtlasEvidence(atlas)
    var (windows, silent) = (0, 0)
    for key in try keys {
      let feature = try atlas.feature(key)
      let found = try evidence.feature(key)
      #expect(found.key == feature.key.description && found.rate == feature.rate)
      let (raised, lowered) = (feature.logits?.top ?? [], feature.logits?.bottom ?? [])
      #expect(found.topTokens.map(\.piece) == raised.map { $0.token.piece })
      #expect(found.bottomTokens.map(\.logit) == lowered.map { $0.value })
      var examples = try atlas.examples(key, .top).map { ($0, Int?.none) }
      for bin in feature.intervals.indices { examples += try atlas.examples(key, .interval(bin)).map { ($0, bin) } }
      for (split, side) in [found.explain, found.test].enumerated() {
        let expected = examples.filter { $0.0.split == split }.map { example, bin in
          TokenWindow(
            sequence: example.sequence, pieces: example.tokens.map(\.piece), activations: example.activations,
            interval: bin)
        }
        #expect(side.examples == expected)
        windows += expected.count
        silent += side.negatives.count
      }
      // Windows of the pool that overlap an example's firing are none of the feature's silent ones.
      for negative in found.explain.negatives + found.test.negatives {
        for (example, _) in examples where example.sequence == negative.sequence {
          #expect(example.tokens.map(\.piece) != negative.pieces)
        }
      }
    }
    #expect(windows > 500 && silent > 500, "\(windows) examples, \(silent) silent windows")
  }

  @Test func everyLiveFeatureHasALabelAndScores() throws {
    let digest = try atlas.digest()
    let keys = try keys
    let results = try explain(keys, batch: 7)
    #expect(results.map(\.key) == keys.map(\.description))
    let live = Set(try atlas.dictionaries.flatMap { try atlas.features(of: $0.name, live: true) })
    #expect(!live.isEmpty && live.count < keys.count)
    var figures = 0
    for (key, result) in zip(keys, results) {
      let all = try atlas.explanations(key)
      let label = try #require(all.first)
      let given = try result.explanation.get()
      #expect(all.count == 1 && label.author == "lexical" && label.text == given.text)
      #expect(try atlas.feature(key).explanations == all)
      #expect(label.scores.count == result.scores.count)
      for (stored, score) in zip(label.scores, result.scores) {
        let counts = score.score
        #expect(stored.test == score.test && stored.judge == "lexical" && stored.undefined == counts.undefined)
        #expect(stored.balancedAccuracy == counts.balancedAccuracy && stored.hardAccuracy == counts.hardAccuracy)
        #expect(stored.truePositives == counts.truePositives && stored.falseNegatives == counts.falseNegatives)
        #expect(stored.trueNegatives == counts.trueNegatives && stored.falsePositives == counts.falsePositives)
        #expect(stored.malformed == counts.malformed && stored.refused == 0)
        if stored.balancedAccuracy != nil { figures += 1 }
      }
      let accuracies = label.scores.compactMap(\.balancedAccuracy)
      #expect((label.score == nil) == accuracies.isEmpty && (label.untested == nil) == (label.score != nil))
      if let reason = label.scores.first?.undefined { #expect(label.untested == .test(reason)) }
      if live.contains(key) {
        let tested = label.scores.map(\.test) == [.detection, .fuzzing]
        #expect(tested || !given.isTestable, "\(key): \(label.text)")
      } else {
        #expect(label.text == "never fired" && label.scores.isEmpty && label.untested == .neverFired)
      }
    }
    // A search tells the same of the label that it shows.
    let found = try atlas.search(words: "fires", limit: 500) + atlas.search(words: "fired", limit: 500)
    #expect(found.count > 20)
    for result in found {
      let label = try #require(try atlas.explanations(result.key).first)
      #expect(result.label == label.text && result.labelUntested == label.untested)
      #expect((result.labelScore == nil) == (label.score == nil))
    }
    #expect(figures > 20, "\(figures) figures")

    let first = try stored()
    #expect(try explain(keys, parallel: 1) == results)
    #expect(try stored() == first)
    // What was built is as it was, and the file is sound and alone.
    #expect(try atlas.digest() == digest)
    #expect(try atlas.check().faults.isEmpty)
    #expect(!FileManager.default.fileExists(atPath: atlas.url.path + "-journal"))
  }

  /// Labels that claim nothing are told apart by what they say, which is what an atlas keeps of them.
  @Test func labelsWithoutAClaimSayWhy() throws {
    func untested(_ feature: ExplainedFeature) throws -> AtlasExplanation.Untested {
      let label = try LexicalExplainer().explain(feature, check: {})
      #expect(label.isTestable == (feature.key == "plain"))
      return .init(label: label.text, by: LexicalExplainer.name, reason: nil)
    }
    func planted(_ key: String, examples: Int, rate: Double) throws -> ExplainedFeature {
      try PlantedText.feature(key, seed: 1, examples: examples, rate: rate) { pieces, _ in
        pieces[PlantedText.peak] = "▁x"
        return [PlantedText.peak]
      }
    }
    #expect(try untested(planted("dead", examples: 0, rate: 0)) == .neverFired)
    #expect(try untested(planted("rare", examples: 0, rate: 1e-5)) == .tooRare)
    #expect(try untested(planted("dense", examples: 20, rate: 0.7)) == .tooDense)
    #expect(try untested(planted("plain", examples: 20, rate: 0.1)) == .notTested)
    #expect(AtlasExplanation.Untested(label: "x", by: "judge", reason: .tooFewNegatives) == .test(.tooFewNegatives))
    // Others say such things of what they have seen.
    for (author, label) in [
      ("judge", "fires on nearly every token; raises “x”"), ("lexical", "fires on nearly every token of French prose"),
      ("person", "never fired"), ("person", "fires too rarely to tell on what"),
    ] {
      #expect(AtlasExplanation.Untested(label: label, by: author, reason: nil) == .notTested, "\(author): \(label)")
    }
  }

  private struct Fixed: Explainer {
    let author: String
    let text: String?
    let method = "m"

    func explain(_ feature: ExplainedFeature, check: @Sendable () throws -> Void) throws -> Explanation {
      guard let text else { throw CallFailure.refused }
      return Explanation(text, promptSHA256: "p")
    }
  }

  private struct NamedJudge: Judge {
    let name: String

    func decide(
      _ label: String, _ windows: [TestWindow], for test: LabelTest, of feature: String,
      check: @Sendable () throws -> Void
    ) throws -> [JudgeDecision] { windows.map { _ in name == "silent" ? .none(.timedOut) : .fires(true) } }
  }

  @Test func labelsOfOthersStay() throws {
    let key = try #require(try atlas.features(of: "residual", live: true).first)
    func run(_ author: String, _ text: String?, judge: String, _ options: ScoringOptions) throws {
      try ExplanationRun(explainer: Fixed(author: author, text: text), judge: NamedJudge(name: judge), options: options)
        .explain([key], of: atlas, into: ExplanationStore(atlas))
    }
    _ = try explain([key])
    let lexical = try atlas.explanations(key)
    try run("model", "a", judge: "j1", both)
    try run("model", "a", judge: "silent", ScoringOptions())
    try run("person", "b", judge: "j1", ScoringOptions())
    var all = try atlas.explanations(key)
    #expect(all.map(\.author) == ["person", "model", "lexical"] && [all[2]] == lexical)
    #expect(all[1].promptSHA256 == "p")
    // The same text judged by another keeps both; a new text has but its own scores.
    #expect(all[1].scores.map { "\($0.test) \($0.judge)" } == ["detection j1", "detection silent", "fuzzing j1"])
    let unanswered = all[1].scores[1]
    if unanswered.undefined == .tooFewAnswers { #expect(unanswered.timedOut > 0) }
    #expect(unanswered.balancedAccuracy == nil && unanswered.undefined != nil)
    try run("model", nil, judge: "j1", both)
    #expect(try atlas.explanations(key) == all)
    try run("model", "c", judge: "j1", ScoringOptions())
    all = try atlas.explanations(key)
    #expect(all[1].text == "c" && all[1].scores.map(\.judge) == ["j1"] && [all[2]] == lexical)
  }

  @Test func aJudgesAnswersAreStoredAndResumed() throws {
    let keys = Atlas.sample(try atlas.features(of: "residual", live: true), count: 6, seed: 3)
    #expect(keys.count == 6 && keys == keys.sorted { $0.index < $1.index })
    let scripted = try ScriptedSession([FakeModel.step])
    func run(_ session: JudgeSession, check: () throws -> Void = {}) throws {
      try ExplanationRun(explainer: ChatExplainer(session), judge: ChatJudge(session), options: both, parallel: 2)
        .explain(keys, of: atlas, into: ExplanationStore(atlas), batch: 1, check: check)
    }
    struct Stopped: Error {}
    #expect(throws: Stopped.self) {
      try run(scripted.session) { if scripted.server.requests.count > 8 { throw Stopped() } }
    }
    let early = scripted.server.requests.count
    try run(scripted.session)
    let (requests, spent, first) = (scripted.server.requests.count, scripted.session.ledger.spent, try stored())
    #expect(early > 8 && early < requests)
    for key in keys {
      let label = try #require(try atlas.explanations(key).first)
      #expect(label.author == "judge-1" && label.promptSHA256?.count == 64)
      #expect(label.text.hasPrefix("on the word"), "\(label.text)")
      #expect(label.scores.map(\.test) == [.detection, .fuzzing])
    }
    // All is in the ledger: nothing is asked again, and the rules' labels change nothing of it.
    _ = try explain(keys)
    try run(scripted.session)
    #expect(scripted.server.requests.count == requests && scripted.session.ledger.spent == spent)
    for (key, before) in zip(try self.keys, first) where keys.contains(key) {
      let all = try atlas.explanations(key).map { "\($0.author) \($0.method) \($0.text) \($0.scores)" }
      #expect(all.count == 2 && all[0] == before)
    }
  }

  /// A process killed within a transaction leaves its journal; the next reader takes it back.
  @Test func halfATransactionIsTakenBack() throws {
    _ = try explain(try keys)
    let before = try stored()
    let queue = try DatabaseQueue(path: atlas.url.path)
    let copy = tiny.url("killed.sqlite")
    try queue.writeWithoutTransaction { db in
      // A cache of a few pages, so that changed ones reach the file before the end.
      try db.execute(sql: "PRAGMA cache_size = 2; BEGIN IMMEDIATE; UPDATE explanation SET text = text || 'x'")
      try FileManager.default.copyItem(at: atlas.url, to: copy)
      try FileManager.default.copyItem(atPath: atlas.url.path + "-journal", toPath: copy.path + "-journal")
      try db.execute(sql: "ROLLBACK")
    }
    let killed = try Atlas(contentsOf: copy)
    #expect(try killed.check().faults.isEmpty)
    let after = try keys.map { key in
      try killed.explanations(key).map { "\($0.author) \($0.method) \($0.text) \($0.scores)" }.joined(separator: "|")
    }
    #expect(after == before && !FileManager.default.fileExists(atPath: copy.path + "-journal"))
  }

  @Test func strangersAreRefused() throws {
    let store = try ExplanationStore(atlas)
    var results: [ExplanationResult] = []
    let planted = try PlantedText.singleToken("▁x", seed: 1)
    try ExplanationRun(explainer: LexicalExplainer(), judge: LexicalJudge()).explain([planted]) { results.append($0) }
    #expect(throws: AtlasError.self) { try store.write(results) }
    #expect(try stored().allSatisfy(\.isEmpty))
    #expect(throws: AtlasError.self) { try AtlasEvidence(atlas).feature(FeatureKey(dictionary: "none", index: 0)) }
    #expect(throws: AtlasError.self) { try atlas.features(of: "none", live: true) }
    let unfinished = tiny.url("stopped.sqlite")
    struct Stopped: Error {}
    #expect(throws: Stopped.self) {
      try tiny.builder(unfinished).build { if $0.stage == .features { throw Stopped() } }
    }
    let partial = try Atlas(contentsOf: unfinished, allowPartial: true)
    #expect(throws: AtlasError.self) { try ExplanationStore(partial) }
  }
}
