import ArgumentParser
import Atlas
import Foundation

/// Which atlas is explained: named by place or by flag.
struct ExplainedAtlas: ParsableArguments {
  @Argument(help: ArgumentHelp("The atlas.", valueName: "atlas"), completion: .file(extensions: ["sqlite"]))
  var path: String?

  @Option(
    name: .customLong("atlas"), help: ArgumentHelp("The atlas, in place of naming it first.", valueName: "atlas"),
    completion: .file(extensions: ["sqlite"]))
  var named: String?

  func validate() throws { _ = try url() }

  /// - Throws: `ValidationError` unless it is named exactly once.
  func url() throws -> URL {
    switch (path, named) {
    case (nil, nil): throw ValidationError("Missing the atlas: give it as A.sqlite or --atlas A.sqlite.")
    case (let path?, let named?):
      throw ValidationError("'\(path)' and --atlas '\(named)': expected the atlas once.")
    case (let given?, nil), (nil, let given?): return URL(filePath: given)
    }
  }
}

/// Which features are explained.
struct ExplainedChoice: ParsableArguments {
  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("Its name in the atlas; all dictionaries without it.", valueName: "name"))
  var dictionary: String?

  @Option(
    help: ArgumentHelp("Features of the dictionary, such as 1,5-9; all without it.", valueName: "numbers"))
  var features: NumberRanges?

  @Option(
    help: ArgumentHelp("Draw so many of those that were ever on (100 with a judge).", valueName: "n"))
  var maxFeatures: Int?

  func validate() throws {
    if let maxFeatures, maxFeatures < 1 {
      throw ValidationError("--max-features is \(maxFeatures); expected 1 or more.")
    }
  }

  /// - Parameter limit: features where the command line sets no bounds; nil for all.
  func keys(of atlas: Atlas, atMost limit: Int?, seed: UInt64) throws -> [FeatureKey] {
    let names = try dictionary.map { [try atlas.dictionary($0).name] } ?? atlas.dictionaries.map(\.name)
    let count = maxFeatures ?? (features == nil ? limit : nil)
    var keys: [FeatureKey] = []
    if let features {
      guard names.count == 1 else {
        throw CommandError.usage("--features: name the --dictionary, one of \(names.joined(separator: ", "))")
      }
      let all = try atlas.features(of: names[0])
      switch features.numbers(below: all.count) {
      case .success(let numbers): keys = numbers.map { all[$0] }
      case .failure(let bad):
        throw CommandError.usage(
          "--features \(bad.range.lowerBound)-\(bad.range.upperBound): \(names[0]) has features 0 to \(all.count - 1)")
      }
    }
    guard let count else { return try features == nil ? names.flatMap { try atlas.features(of: $0) } : keys }
    let live = try names.flatMap { try atlas.features(of: $0, live: true) }
    let wanted = Set(keys)
    return Atlas.sample(features == nil ? live : live.filter(wanted.contains), count: count, seed: seed)
  }
}

/// The language model that writes and judges labels.
struct JudgeOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp("Where the model answers; without it GSCOPE_JUDGE_URL.", valueName: "url"))
  var judge: String?

  @Option(help: ArgumentHelp("The model's name; without it GSCOPE_JUDGE_MODEL.", valueName: "model"))
  var judgeModel: String?

  @Flag(help: "Use rules and no model, whatever the environment names.") var lexical = false

  @Option(help: ArgumentHelp("Tokens spent at most, over all runs on this atlas.", valueName: "n"))
  var maxTokensSpent = 1_000_000

  @Option(help: ArgumentHelp("Seconds for one answer.", valueName: "seconds")) var timeout: Double = 60

  func validate() throws {
    if lexical, judge != nil || judgeModel != nil { throw ValidationError("--lexical uses no --judge.") }
    if maxTokensSpent < 1 {
      throw ValidationError("--max-tokens-spent is \(maxTokensSpent); expected 1 or more.")
    }
    if !(timeout > 0 && timeout <= 86_400) {
      throw ValidationError("--timeout is \(timeout); expected more than 0 and at most 86400 seconds.")
    }
  }

  /// A session with the judge; nil where none is named.
  func session(for atlas: Atlas) throws -> JudgeSession? {
    let environment = ProcessInfo.processInfo.environment
    guard !lexical, let settings = try JudgeSettings(url: judge, model: judgeModel, environment: environment) else {
      if judgeModel != nil { throw CommandError.usage("--judge-model needs --judge URL.") }
      return nil
    }
    var limits = JudgeLimits()
    (limits.tokens, limits.timeout) = (maxTokensSpent, .seconds(timeout))
    let ledger = try JudgeLedger(URL(filePath: atlas.url.path + "-judge.jsonl"))
    return try JudgeSession(URLSessionEndpoint(settings), model: settings.model, ledger: ledger, limits: limits)
  }
}
