import Dictionaries
import Evaluation
import Gemma
import Sites

/// What a dictionary's features are among each other, and among those of others at the same site.
struct StructureTasks {
  let run: TaskRun

  private var dictionaries: [SparseDictionary] { run.dictionaries }

  /// Pairs of dictionaries that read and write the same sites, by place.
  private func pairs(_ fit: (SparseDictionary, SparseDictionary) -> Bool) -> [(Int, Int)] {
    dictionaries.indices.flatMap { i in
      dictionaries.indices.compactMap { j in
        let (a, b) = (dictionaries[i], dictionaries[j])
        let alike = a.shape.reads == b.shape.reads && a.shape.writes == b.shape.writes
        return i != j && alike && fit(a, b) ? (i, j) : nil
      }
    }
  }

  private func prefixes(of dictionary: SparseDictionary) throws -> [Int] {
    let width = dictionary.shape.width
    let asked = try run.options.prefixSizes() ?? [max(width / 16, 1), max(width / 4, 1)]
    if let outside = asked.first(where: { $0 > width }) {
      throw CommandError.usage("--prefixes: \(dictionary.name) has \(width) features, fewer than \(outside)")
    }
    return Set(asked).sorted()
  }

  // MARK: Nesting

  func nesting() throws -> TaskReport {
    var (rows, json): ([[String]], [JSONValue]) = ([], [])
    for (index, dictionary) in dictionaries.enumerated() {
      let prefixes = try prefixes(of: dictionary)
      var energy = try FeatureEnergy(dictionary)
      try run.eachSequence(of: [index], "energies") { codes, _, counted in try energy.add(codes[0], rows: counted) }
      var measurement = try NestingMeasurement(
        dictionary, prefixes: prefixes, energies: energy, draws: run.options.draws)
      try run.eachSequence(of: [index], "nesting") { codes, activations, counted in
        try measurement.add(
          codes[0], inputs: activations.at(dictionary.shape.reads), targets: activations.at(dictionary.shape.writes),
          rows: counted, check: Interruption.check)
      }
      for prefix in measurement.result.prefixes {
        rows.append([
          dictionary.name, "\(prefix.features)", Format.decimal(prefix.l0.value, 1), Format.percent(prefix.fvu.value),
          Format.percent(prefix.randomFVU), Format.percent(prefix.energyFVU?.value),
          Format.estimate(prefix.nestingGain, 2), Format.percent(prefix.activityShare.value),
          Format.percent(prefix.deadShare),
        ])
        json.append([
          "dictionary": .string(dictionary.name), "features": .integer(prefix.features), "l0": .estimate(prefix.l0),
          "fvu": .estimate(prefix.fvu), "reconstruction_bias": .estimate(prefix.reconstructionBias),
          "random_fvu": .array(prefix.randomFVUs.map { .estimate($0) }), "energy_fvu": .estimate(prefix.energyFVU),
          "nesting_gain": .estimate(prefix.nestingGain), "activity_share": .estimate(prefix.activityShare),
          "dead_share": .optional(prefix.deadShare),
        ])
      }
    }
    return TaskReport(
      task: .nesting, title: "Nesting: the first features alone",
      notes: ["Beside it as many random features and those that write most; a gain of 0 is no order, 1 the whole."],
      tables: [
        .init(
          titles: ["dictionary", "features", "L0", "FVU", "random", "largest", "gain", "activity", "dead"], rows: rows)
      ], json: .array(json))
  }

  // MARK: Splitting

  func splitting() throws -> TaskReport {
    var (rows, json): ([[String]], [JSONValue]) = ([], [])
    func add(_ name: String, _ splitting: Splitting, parents: Int, children: Int, read: Int) throws {
      let families = splitting.families(at: Self.splitThreshold).filter { $0.children.count > 1 }
      var firing = try ConditionalFiring(families, read: read)
      if !families.isEmpty {
        try run.eachSequence(of: parents == children ? [parents] : [parents, children], "splitting") { codes, _, counted in
          try firing.add(parents: codes[0], children: codes[codes.count - 1], rows: counted)
        }
      }
      for figures in splitting.figures {
        rows.append([
          name, Format.decimal(figures.threshold, 1), Format.decimal(figures.meanChildren, 2),
          Format.percent(figures.splitShare), Format.percent(figures.novelShare), Format.percent(figures.keptShare),
          figures.threshold == Self.splitThreshold ? Format.estimate(firing.childGivenParent, 2) : "",
          figures.threshold == Self.splitThreshold ? Format.estimate(firing.parentGivenChild, 2) : "",
        ])
      }
      json.append([
        "pair": .string(name), "parents": .integer(splitting.parents), "children": .integer(splitting.children),
        "figures": .array(
          splitting.figures.map {
            [
              "threshold": .double($0.threshold), "mean_children": .optional($0.meanChildren),
              "split_share": .optional($0.splitShare), "novel_share": .optional($0.novelShare),
              "kept_share": .optional($0.keptShare),
            ]
          }),
        "split_families": .integer(families.count), "child_given_parent": .estimate(firing.childGivenParent),
        "parent_given_child": .estimate(firing.parentGivenChild),
      ])
    }
    for (i, j) in pairs({ $0.shape.width < $1.shape.width }) {
      for read in dictionaries[i].shape.reads.indices {
        let splitting = try Splitting(
          parents: dictionaries[i], children: dictionaries[j], read: read,
          densities: (run.densities[i], run.densities[j]), check: Interruption.check)
        try add(
          "\(dictionaries[i].name) → \(dictionaries[j].name)\(place(dictionaries[i], read))", splitting, parents: i,
          children: j, read: read)
      }
    }
    for (index, dictionary) in dictionaries.enumerated() {
      for prefix in try prefixes(of: dictionary) where prefix < dictionary.shape.width {
        for read in dictionary.shape.reads.indices {
          let splitting = try Splitting(
            prefix: prefix, of: dictionary, read: read, density: run.densities[index], check: Interruption.check)
          try add(
            "first \(prefix) of \(dictionary.name)\(place(dictionary, read))", splitting, parents: index,
            children: index, read: read)
        }
      }
    }
    return TaskReport(
      task: .splitting, title: "Splitting: how features of a narrow dictionary come back in a wide one",
      notes: ["Of features that fire, by the cosine of their decoder rows, at three thresholds."],
      tables: [
        .init(
          titles: [
            "parents and children", "cosine", "children", "split", "novel", "kept", "child if parent",
            "parent if child",
          ], rows: rows)
      ], json: .array(json))
  }

  private static let splitThreshold = 0.7

  // MARK: Consistency

  func consistency() throws -> TaskReport {
    let found = pairs { $0.shape.width == $1.shape.width }.filter { $0.0 < $0.1 }
    var (rows, json): ([[String]], [JSONValue]) = ([], [])
    for (i, j) in found {
      for read in dictionaries[i].shape.reads.indices {
        let (a, b) = (dictionaries[i], dictionaries[j])
        let consistency = try Consistency(
          a, b, read: read, densities: (run.densities[i], run.densities[j]), check: Interruption.check)
        let alive = consistency.alive ?? consistency.all
        var correlation = try ActivationCorrelation(alive.decoder.pairs.map { ($0.a, $0.b) }, read: read)
        try run.eachSequence(of: [i, j], "consistency") { codes, _, counted in
          try correlation.add(codes[0], codes[1], rows: counted)
        }
        let name = "\(a.name) ~ \(b.name)\(place(a, read))"
        rows.append([
          name, "\(alive.decoder.sizeOfA), \(alive.decoder.sizeOfB)", Format.decimal(alive.decoder.matchedCosine, 3),
          Format.decimal(alive.null.matchedCosine, 3), Format.percent(alive.decoder.share(atLeast: 0.7)),
          Format.percent(alive.sharedShare), Format.decimal(consistency.densityWeighted, 3),
          Format.decimal(correlation.mean, 3), Format.decimal(consistency.all.decoder.matchedCosine, 3),
        ])
        json.append([
          "pair": .string(name), "all": Self.json(consistency.all), "alive": consistency.alive.map(Self.json) ?? nil,
          "density_weighted_cosine": .optional(consistency.densityWeighted),
          "activation_correlation": .optional(correlation.mean),
        ])
      }
    }
    return TaskReport(
      task: .consistency, title: "Consistency: the same features from another seed",
      notes: found.isEmpty
        ? ["No two of the dictionaries have the same sites and width."]
        : ["Of features that fire, matched one to one by their decoder rows; random rows of the same number beside it."],
      tables: [
        .init(
          titles: [
            "pair", "features", "matched cosine", "random", "at least 0.7", "shared", "by density", "correlation", "all",
          ], rows: rows)
      ], json: .array(json))
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

  /// Which read, where there are several.
  private func place(_ dictionary: SparseDictionary, _ read: Int) -> String {
    dictionary.shape.isMultiLayer ? " at \(dictionary.shape.reads[read])" : ""
  }
}
