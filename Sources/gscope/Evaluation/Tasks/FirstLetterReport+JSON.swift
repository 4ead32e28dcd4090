import Evaluation

extension FirstLetterReport {
  /// - Parameter words: that probes were trained on.
  func json(_ name: String, _ result: FirstLetterResult, words: Int) -> JSONValue {
    let members: [(key: String, value: JSONValue)] = [
      ("dictionary", .string(name)), ("letters_needed", .integer(FirstLetterConstants.leastLetters)),
      ("scaling", .string(settings.scaling.rawValue)), ("epochs", .integer(settings.dense.epochs)),
      ("l1_batch", .integer(settings.sparse(words: words).batch)), ("words_per_letter", .integer(run.options.words)),
      ("probes", .array(result.probes.map(Self.json))),
    ]
    guard case .measured(_, let absorption) = result else { return .object(members + [("applicable", false)]) }
    return .object(
      members + [
        ("applicable", true), ("fraction", Self.json(absorption.fraction)), ("full", Self.json(absorption.full)),
        ("centred_fraction", Self.json(absorption.centredFraction)),
        ("centred_full", Self.json(absorption.centredFull)), ("split_features", .estimate(absorption.splitFeatures)),
        ("letters_without_words", .integer(absorption.lettersWithoutWords)),
        (
          "decoder_norms",
          absorption.decoderNorms.map { ["least": .double($0.lowerBound), "most": .double($0.upperBound)] } ?? nil
        ), ("letters", .array(absorption.letters.map(Self.json))),
      ])
  }

  private static func json(_ probe: LetterProbe) -> JSONValue {
    func scores(_ scores: DetectionScores) -> JSONValue {
      [
        "f1": .optional(scores.f1), "precision": .optional(scores.precision), "recall": .optional(scores.recall),
        "auc": .optional(scores.area),
      ]
    }
    func bySize(_ list: [Int: DetectionScores]) -> JSONValue {
      .object(list.sorted { $0.key < $1.key }.map { ("\($0.key)", scores($0.value)) })
    }
    return [
      "letter": .string("\(probe.letter)"), "train_words": .integer(probe.trainingWords),
      "test_words": .integer(probe.testWords), "dense": scores(probe.dense), "features": bySize(probe.features),
      "channels": bySize(probe.channels), "split_features": .array(probe.split.features.map { .integer($0) }),
    ]
  }

  private static func json(_ summary: AbsorptionResult.Summary) -> JSONValue {
    [
      "mean": .estimate(summary.mean), "over_words": .estimate(summary.overWords),
      "deviation": .optional(summary.deviation),
    ]
  }

  private static func json(_ letter: LetterAbsorption) -> JSONValue {
    [
      "letter": .string("\(FirstLetterConstants.letters[letter.letter])"), "words": .integer(letter.published.words),
      "split_features": .integer(letter.splitFeatures), "fraction": .optional(letter.published.fraction),
      "full": .optional(letter.published.full), "centred_fraction": .optional(letter.centred.fraction),
      "centred_full": .optional(letter.centred.full),
    ]
  }
}
