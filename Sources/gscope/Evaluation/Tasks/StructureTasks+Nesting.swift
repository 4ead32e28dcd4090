import Dictionaries
import Evaluation

extension StructureTasks {
  func nesting() throws -> TaskReport {
    var (rows, json): ([[String]], [JSONValue]) = ([], [])
    for (dictionary, measurement) in zip(dictionaries, try nestings()) {
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

  /// Of every dictionary, in two passes of the model: the features that write most must be known first.
  private func nestings() throws -> [NestingMeasurement] {
    let prefixes = try dictionaries.map(run.options.prefixes)
    var energies = try dictionaries.map(FeatureEnergy.init)
    try run.eachSequence(of: Array(dictionaries.indices), "energies") { codes, _, counted in
      for i in codes.indices { try energies[i].add(codes[i], rows: counted) }
    }
    var measurements = try dictionaries.indices.map {
      try NestingMeasurement(
        dictionaries[$0], prefixes: prefixes[$0], energies: energies[$0], draws: run.options.draws)
    }
    try run.eachSequence(of: Array(dictionaries.indices), "nesting") { codes, activations, counted in
      for (i, dictionary) in dictionaries.enumerated() {
        try measurements[i].add(
          codes[i], inputs: activations.at(dictionary.shape.reads), targets: activations.at(dictionary.shape.writes),
          rows: counted, check: Interruption.check)
      }
    }
    return measurements
  }
}
