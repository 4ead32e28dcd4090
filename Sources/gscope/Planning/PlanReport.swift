import Dictionaries
import Foundation
import Training

/// A plan as text and JSON.
struct PlanReport {
  let plan: TrainingPlan

  func write() throws {
    try facts().write()
    try StandardOutput.line("")
    try dictionaries().write()
    try StandardOutput.line("")
    try costs().write()
  }

  private func facts() -> TextTable {
    let (model, machine) = (plan.model, plan.machine)
    var table = TextTable([.init(""), .init("")])
    func add(_ name: String, _ text: String) { table.add([.init(name, .bold), .init(text)]) }
    add(
      "model",
      "\(model.name): \(model.layers) layers, width \(model.width), "
        + "\(TokenCount.text(Double(model.parameterCount))) parameters")
    add("machine", Self.describe(machine))
    add(
      "steps",
      "batch \(plan.settings.batch), Matryoshka prefixes: \(plan.settings.prefixes), "
        + "sequences of \(plan.settings.context)")
    return table
  }

  static func describe(_ machine: PlannedMachine) -> String {
    let peak =
      machine.isGPU
      ? "\(Format.short(machine.peak / 1e12)) TF/s TF32" : "\(Format.short(machine.peak / 1e9)) GF/s fp32"
    func origin(_ rate: PlannedMachine.Rate) -> String { machine.measured.contains(rate) ? " (measured)" : "" }
    return "\(machine.name): \(Format.count(machine.ranks, machine.isGPU ? "GPU" : "node")), each \(peak)"
      + "\(origin(.peak)), \(Format.bytes(Int(machine.memory))) at \(Format.bytes(Int(machine.bandwidth)))/s"
      + origin(.bandwidth)
  }

  private func dictionaries() -> TextTable {
    var table = TextTable([
      .init("kind"), .init("reads"), .init("dictionaries", .right), .init("width", .right), .init("L0", .right),
      .init("tokens", .right), .init("parameters", .right), .init("file", .right), .init("state", .right),
      .init("ranks", .right), .init("a rank", .right),
    ])
    for row in PlanRow.rows(plan) {
      let dictionary = row.dictionary
      let group = plan.group(dictionary)
      table.add([
        .init(row.name), .init(row.site, .accent), .init("\(row.count)"), .init(row.width), .init("\(dictionary.l0)"),
        .init(TokenCount.text(row.tokens)), .init(Format.grouped(dictionary.storedParameters)),
        .init(Format.bytes(dictionary.fileBytes)), .init(Format.bytes(dictionary.stateBytes)),
        .init(ranks(dictionary), group == nil ? .bad : .plain),
        .init(Format.bytes(plan.memory(dictionary, ranks: group ?? plan.machine.ranks))),
      ])
    }
    return table
  }

  /// How many ranks share it.
  private func ranks(_ dictionary: PlannedDictionary) -> String {
    if let group = plan.group(dictionary) { return "\(group)" }
    return plan.ranksNeeded(dictionary).map { "needs \($0)" } ?? "too large"
  }

  private func costs() -> TextTable {
    var table = TextTable([.init(""), .init("", .right), .init("")])
    func add(_ name: String, _ value: String, _ note: String = "") {
      table.add([.init(name), .init(value, .bold), .init(note, .dim)])
    }
    add("dictionaries", "\(plan.dictionaries.count)")
    add(
      "parameters", TokenCount.text(Double(plan.storedParameters)),
      "\(Format.grouped(plan.storedParameters)); trained \(Format.grouped(plan.trainedParameters))")
    add("files, fp32", Format.bytes(plan.fileBytes))
    for format in PlanAssumptions.storeFormats {
      let each = plan.storedBytesPerToken(bytes: format.bytes, perToken: format.perToken)
      add(
        "activations, \(format.name)", Self.bytes(each * plan.tokens),
        "\(Format.count(plan.sites.count, "site")), \(Self.bytes(each)) a token, if they are stored")
    }
    let hours = plan.hours
    add("model's pass", Self.time(hours.model), Self.flops(plan.modelFlops))
    add("training", Self.time(hours.training), Self.flops(plan.sparseFlops) + "; dense \(Self.flops(plan.denseFlops))")
    for (name, value) in [
      ("  encoder", hours.encoder), ("  active pairs", hours.pairs), ("  optimiser", hours.optimiser),
      ("  exchange", hours.exchange),
    ] { add(name, Self.time(value)) }
    add("all", Self.time(hours.total), "with dense products throughout \(Self.time(hours.dense))")
    let room = plan.machine.memory * PlanAssumptions.memoryShare
    add(
      "all at once", Format.bytes(plan.memoryAllAtOnce),
      "a rank, dealt over all ranks, with the model; "
        + (Double(plan.memoryAllAtOnce) <= room ? "fits" : "does not fit: train them in turn"))
    return table
  }

  static func bytes(_ count: Double) -> String { Format.bytes(count < 9e18 ? Int(count) : .max) }
  static func flops(_ count: Double) -> String { String(format: "%.3g FLOP", count) }

  static func time(_ hours: Double) -> String {
    guard hours.isFinite else { return "?" }
    if hours >= 48 { return "\(Format.short(hours / 24)) days" }
    return hours >= 1 ? "\(Format.short(hours)) h" : Format.duration(hours * 3600)
  }
}
