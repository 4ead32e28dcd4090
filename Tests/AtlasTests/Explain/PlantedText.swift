import Atlas
import TestSupport

/// Made-up features over random text, of which it is known on what they fire.
enum PlantedText {
  static let length = 33
  static let peak = 24

  static func word(_ random: inout SeededRandom) -> String { "▁w\(random.int(0...199))" }

  static func pieces(_ random: inout SeededRandom) -> [String] { (0..<length).map { _ in word(&random) } }

  /// A feature that fires on `fires(pieces)` of random windows which `plant` has changed, and on nothing in windows
  /// that `spoil` has changed.
  static func feature(
    _ key: String, seed: UInt64, examples: Int = 20, negatives: Int = 40, rate: Double? = 0.01,
    topTokens: [ExplainedFeature.TokenEffect] = [], strength: Float = 1, plant: (inout [String], inout SeededRandom) -> [Int],
    spoil: (inout [String], inout SeededRandom) -> Void = { _, _ in }
  ) throws -> ExplainedFeature {
    var random = SeededRandom(seed: seed)
    func evidence(_ side: Int) -> ExplainedFeature.Evidence {
      ExplainedFeature.Evidence(
        examples: (0..<examples).map { i in
          var pieces = pieces(&random)
          var activations = [Float](repeating: 0, count: length)
          for place in plant(&pieces, &random) { activations[place] = strength * (2 + random.float()) }
          return TokenWindow(
            sequence: 2 * i + side, pieces: pieces, activations: activations, interval: i < examples / 2 ? nil : i % 3)
        },
        negatives: (0..<negatives).map { i in
          var pieces = pieces(&random)
          spoil(&pieces, &random)
          return TokenWindow(silentIn: 1000 + 2 * i + side, pieces: pieces)
        })
    }
    return try ExplainedFeature(
      key: key, explain: evidence(0), test: evidence(1), topTokens: topTokens, rate: rate)
  }

  /// A feature that fires on one token and nowhere else.
  static func singleToken(_ token: String, seed: UInt64) throws -> ExplainedFeature {
    try feature("\(token)#\(seed)", seed: seed) { pieces, _ in
      pieces[peak] = token
      return [peak]
    } spoil: { pieces, _ in
      for i in pieces.indices where pieces[i] == token { pieces[i] = "▁other" }
    }
  }
}

/// A judge that keeps what it is shown and decides as it is told.
final class RecordingJudge: Judge {
  let name = "recording"
  private let log = Log<(label: String, windows: [TestWindow], test: LabelTest)>()
  private let answer: @Sendable (Int, TestWindow) -> JudgeDecision

  init(_ answer: @escaping @Sendable (Int, TestWindow) -> JudgeDecision = { _, _ in .fires(true) }) {
    self.answer = answer
  }

  var calls: [(label: String, windows: [TestWindow], test: LabelTest)] { log.items }

  func decide(
    _ label: String, _ windows: [TestWindow], for test: LabelTest, of feature: String,
    check: @Sendable () throws -> Void
  ) throws -> [JudgeDecision] {
    log.add((label, windows, test))
    return windows.enumerated().map { answer($0.offset, $0.element) }
  }
}
