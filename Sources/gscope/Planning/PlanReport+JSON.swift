import Dictionaries
import Training

extension PlanReport {
  var members: [(key: String, value: JSONValue)] {
    let hours = plan.hours
    return [
      ("model", Self.json(plan.model)), ("machine", Self.json(plan.machine)),
      (
        "settings",
        [
          "batch": .integer(plan.settings.batch), "prefixes": .integer(plan.settings.prefixes),
          "context": .integer(plan.settings.context),
        ]
      ),
      ("dictionaries", .array(PlanRow.rows(plan).map(json))),
      ("count", .integer(plan.dictionaries.count)), ("parameters", .integer(plan.storedParameters)),
      ("trained_parameters", .integer(plan.trainedParameters)), ("bytes", .integer(plan.fileBytes)),
      ("tokens", .double(plan.tokens)), ("sites", .integer(plan.sites.count)),
      ("store", .array(PlanAssumptions.storeFormats.map(store))),
      (
        "flops",
        [
          "model": .double(plan.modelFlops), "encoder": .double(plan.encoderFlops), "pairs": .double(plan.pairFlops),
          "sparse": .double(plan.sparseFlops), "dense": .double(plan.denseFlops),
        ]
      ),
      (
        "hours",
        [
          "model": .double(hours.model), "encoder": .double(hours.encoder), "pairs": .double(hours.pairs),
          "optimiser": .double(hours.optimiser), "exchange": .double(hours.exchange),
          "training": .double(hours.training), "total": .double(hours.total), "dense": .double(hours.dense),
        ]
      ),
      ("memory", memory),
    ]
  }

  private var memory: JSONValue {
    [
      "all_at_once_per_rank": .integer(plan.memoryAllAtOnce),
      "ranks_for_largest": .optional(plan.largest.flatMap { plan.ranksNeeded($0) }),
      "largest_state": .optional(plan.largest?.stateBytes),
    ]
  }

  private func json(_ row: PlanRow) -> JSONValue {
    let dictionary = row.dictionary
    let group = plan.group(dictionary)
    return [
      "kind": .string(dictionary.kind.rawValue), "site": .string(row.site), "affine": .bool(dictionary.isAffine),
      "count": .integer(row.count), "layers": .integer(dictionary.reads.count), "width": .integer(dictionary.width),
      "l0": .integer(dictionary.l0), "tokens": .double(row.tokens), "parameters": .integer(dictionary.storedParameters),
      "trained_parameters": .integer(dictionary.trainedParameters), "bytes": .integer(dictionary.fileBytes),
      "state_bytes": .integer(dictionary.stateBytes), "ranks": .optional(group),
      "ranks_needed": .optional(plan.ranksNeeded(dictionary)),
      "bytes_per_rank": .integer(plan.memory(dictionary, ranks: group ?? plan.machine.ranks)),
    ]
  }

  private func store(_ format: (name: String, bytes: Double, perToken: Double)) -> JSONValue {
    let each = plan.storedBytesPerToken(bytes: format.bytes, perToken: format.perToken)
    return ["format": .string(format.name), "bytes_per_token": .double(each), "bytes": .double(each * plan.tokens)]
  }

  static func json(_ model: PlannedModel) -> JSONValue {
    [
      "name": .string(model.name), "layers": .integer(model.layers), "width": .integer(model.width),
      "attention_width": .integer(model.attentionWidth), "parameters": .integer(model.parameterCount),
    ]
  }

  static func json(_ machine: PlannedMachine) -> JSONValue {
    let measured = PlannedMachine.Rate.allCases.filter(machine.measured.contains)
    return [
      "name": .string(machine.name), "kind": .string(machine.isGPU ? "gpu" : "cpu"), "ranks": .integer(machine.ranks),
      "flops": .double(machine.peak), "memory": .double(machine.memory), "bandwidth": .double(machine.bandwidth),
      "link": .double(machine.link), "product_share": .double(machine.productShare),
      "measured": .array(measured.map { .string($0 == .peak ? "flops" : "bandwidth") }),
    ]
  }
}
