import Dictionaries
import Evaluation

extension StructureTasks {
  func consistency() throws -> TaskReport {
    var matches = try self.matches()
    if !matches.isEmpty {
      let matched = Set(matches.flatMap { [$0.places.0, $0.places.1] }).sorted()
      try run.eachSequence(of: matched, "consistency") { codes, _, counted in
        let codes = Dictionary(zip(matched, codes)) { first, _ in first }
        for i in matches.indices {
          guard let a = codes[matches[i].places.0], let b = codes[matches[i].places.1] else { continue }
          try matches[i].correlation.add(a, b, rows: counted)
        }
      }
    }
    return TaskReport(
      task: .consistency, title: "Consistency: the same features from another seed",
      notes: matches.isEmpty
        ? ["No two of the dictionaries have the same sites and width."]
        : ["Of features that fire, matched one to one by their decoder rows; random rows of the same number beside it."],
      tables: [
        .init(
          titles: [
            "pair", "features", "matched cosine", "random", "at least 0.7", "shared", "by density", "correlation", "all",
          ], rows: matches.map(\.row))
      ], json: .array(matches.map(\.json)))
  }

  private func matches() throws -> [ConsistencyMatch] {
    try pairs { $0.shape.width == $1.shape.width }.filter { $0.0 < $0.1 }.flatMap { i, j in
      let (a, b) = (dictionaries[i], dictionaries[j])
      return try a.shape.reads.indices.map { read in
        let consistency = try Consistency(
          a, b, read: read, densities: (run.densities[i], run.densities[j]), check: Interruption.check)
        return try ConsistencyMatch("\(a.name) ~ \(b.name)\(place(a, read))", consistency, places: (i, j), read: read)
      }
    }
  }
}

/// Two dictionaries whose features were matched.
private struct ConsistencyMatch {
  let name: String
  let consistency: Consistency
  /// The dictionaries, by place.
  let places: (Int, Int)
  var correlation: ActivationCorrelation

  /// Of the features that fire where some do.
  private var alive: Consistency.Scope { consistency.alive ?? consistency.all }

  init(_ name: String, _ consistency: Consistency, places: (Int, Int), read: Int) throws {
    (self.name, self.consistency, self.places) = (name, consistency, places)
    let scope = consistency.alive ?? consistency.all
    correlation = try ActivationCorrelation(scope.decoder.pairs.map { ($0.a, $0.b) }, read: read)
  }

  var row: [String] {
    [
      name, "\(alive.decoder.sizeOfA), \(alive.decoder.sizeOfB)", Format.decimal(alive.decoder.matchedCosine, 3),
      Format.decimal(alive.null.matchedCosine, 3), Format.percent(alive.decoder.share(atLeast: 0.7)),
      Format.percent(alive.sharedShare), Format.decimal(consistency.densityWeighted, 3),
      Format.decimal(correlation.mean, 3), Format.decimal(consistency.all.decoder.matchedCosine, 3),
    ]
  }

  var json: JSONValue {
    [
      "pair": .string(name), "all": Self.json(consistency.all), "alive": consistency.alive.map(Self.json) ?? nil,
      "density_weighted_cosine": .optional(consistency.densityWeighted),
      "activation_correlation": .optional(correlation.mean),
    ]
  }

  private static func json(_ scope: Consistency.Scope) -> JSONValue {
    func agreement(_ rows: RowAgreement) -> JSONValue {
      [
        "features_a": .integer(rows.sizeOfA), "features_b": .integer(rows.sizeOfB),
        "matched_cosine": .optional(rows.matchedCosine), "matching": .string("\(rows.method)"),
        "share_over_0.5": .optional(rows.share(atLeast: 0.5)), "share_over_0.7": .optional(rows.share(atLeast: 0.7)),
        "share_over_0.9": .optional(rows.share(atLeast: 0.9)), "mean_max_a": .optional(rows.meanMaximumOfA),
        "mean_max_b": .optional(rows.meanMaximumOfB),
      ]
    }
    return [
      "decoder": agreement(scope.decoder), "encoder": agreement(scope.encoder), "random": agreement(scope.null),
      "shared_share": .optional(scope.sharedShare),
    ]
  }
}
