import Atlas
import Evaluation

/// What a run of explanations came to, a row for each dictionary and test.
struct ExplanationSummary {
  /// Scores of one test over the features of a dictionary.
  struct Test {
    var accuracies: [Double] = []
    var hard: [Double] = []
    /// Features without a figure, by reason.
    var undefined: [BalancedScore.Undefined: Int] = [:]
    /// Windows judged, and those that got no answer by kind.
    var answered = 0
    var unanswered: [CallFailure: Int] = [:]

    mutating func add(_ score: BalancedScore) {
      if let accuracy = score.balancedAccuracy { accuracies.append(accuracy) }
      if let accuracy = score.hardAccuracy { hard.append(accuracy) }
      if let reason = score.undefined { undefined[reason, default: 0] += 1 }
      answered += score.answered
      unanswered[.refused, default: 0] += score.refused
      unanswered[.malformed, default: 0] += score.malformed
      unanswered[.timedOut, default: 0] += score.timedOut
      unanswered[.failed, default: 0] += score.failed
    }

    /// Features are the groups of the interval.
    static func mean(_ values: [Double]) -> Estimate { Estimate(values, per: values.map { _ in 1 }) }
  }

  struct Part {
    let dictionary: String
    var features = 0
    var labelled = 0
    /// Labels that claim something, which are the tested ones.
    var testable = 0
    /// Features for which no label was to be had, by kind.
    var failures: [CallFailure: Int] = [:]
    var tests: [LabelTest: Test] = [:]
  }

  private(set) var parts: [Part] = []

  mutating func add(_ result: ExplanationResult) {
    let name = FeatureKey(result.key)?.dictionary ?? result.key
    let index = parts.firstIndex { $0.dictionary == name } ?? parts.count
    if index == parts.count { parts.append(Part(dictionary: name)) }
    parts[index].features += 1
    switch result.explanation {
    case .success(let label):
      parts[index].labelled += 1
      if label.isTestable { parts[index].testable += 1 }
    case .failure(let failure): parts[index].failures[failure, default: 0] += 1
    }
    for score in result.scores { parts[index].tests[score.test, default: Test()].add(score.score) }
  }

  func show() throws {
    var table = TextTable([
      .init("dictionary"), .init("test"), .init("labelled", .right), .init("tested", .right),
      .init("accuracy", .right), .init("95 %"), .init("hard", .right), .init("untested", .right),
      .init("no answer"),
    ])
    for part in parts {
      for (test, scores) in part.tests.sorted(by: { $0.key < $1.key }) {
        let (mean, hard) = (Test.mean(scores.accuracies), Test.mean(scores.hard))
        let interval = mean.low == nil ? "-" : "\(Format.decimal(mean.low, 3)) to \(Format.decimal(mean.high, 3))"
        table.add([
          .init(part.dictionary, .accent), .init(test.rawValue), .init(Format.grouped(part.labelled)),
          .init(Format.grouped(scores.accuracies.count)), .init(Format.decimal(mean.value, 3), .bold), .init(interval),
          .init(Format.decimal(hard.value, 3)), .init(Format.grouped(part.labelled - scores.accuracies.count)),
          .init(Self.kinds(scores.unanswered, of: "window")),
        ])
      }
      if part.tests.isEmpty { table.add([.init(part.dictionary, .accent), "-", .init("\(part.labelled)")]) }
    }
    try table.write()
    for part in parts where !part.failures.isEmpty {
      try StandardOutput.line("\(part.dictionary): no label for \(Self.kinds(part.failures, of: "feature"))")
    }
  }

  private static func kinds(_ counts: [CallFailure: Int], of noun: String) -> String {
    let named = CallFailure.allCases.compactMap { kind in
      counts[kind].flatMap { $0 > 0 ? "\(Format.count($0, noun)) \(name(kind))" : nil }
    }
    return named.isEmpty ? "-" : named.joined(separator: ", ")
  }

  private static func name(_ kind: CallFailure) -> String { kind == .timedOut ? "timed out" : kind.rawValue }
}

extension ExplanationSummary {
  var json: JSONValue {
    .array(
      parts.map { part in
        .object([
          ("dictionary", .string(part.dictionary)), ("features", .integer(part.features)),
          ("labelled", .integer(part.labelled)), ("testable", .integer(part.testable)),
          ("failures", Self.json(part.failures)),
          ("tests", .array(part.tests.sorted { $0.key < $1.key }.map { Self.json($0.key, $0.value) })),
        ])
      })
  }

  private static func json(_ test: LabelTest, _ scores: Test) -> JSONValue {
    let reasons: [BalancedScore.Undefined] = [.tooFewExamples, .tooFewNegatives, .tooFewAnswers]
    return .object([
      ("test", .string(test.rawValue)), ("tested", .integer(scores.accuracies.count)),
      ("balanced_accuracy", json(Test.mean(scores.accuracies))), ("hard_accuracy", json(Test.mean(scores.hard))),
      (
        "untested",
        .object(reasons.map { (LabelWording.name($0), .integer(scores.undefined[$0] ?? 0)) })
      ),
      ("windows", .integer(scores.answered)), ("no_answer", json(scores.unanswered)),
    ])
  }

  private static func json(_ counts: [CallFailure: Int]) -> JSONValue {
    .object(
      CallFailure.allCases.map { ($0 == .timedOut ? "timed_out" : $0.rawValue, .integer(counts[$0] ?? 0)) })
  }

  private static func json(_ estimate: Estimate) -> JSONValue {
    ["value": .optional(estimate.value), "low": .optional(estimate.low), "high": .optional(estimate.high)]
  }
}
