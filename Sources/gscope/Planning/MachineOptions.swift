import ArgumentParser
import Foundation
import Tensors
import Training

/// The machine that `gscope plan` plans for.
struct MachineOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "this, whose rates are measured, laptop, cpu-cluster (16 nodes of 64 cores), h100 or 8xh100; options change it.",
      valueName: "name"))
  var machine = "this"
  @Option(help: ArgumentHelp("CPU nodes, each a rank.", valueName: "n")) var nodes: Int?
  @Option(help: ArgumentHelp("Cores of a node.", valueName: "n")) var cores: Int?
  @Option(help: ArgumentHelp("Peak of a core in fp32, GF/s.", valueName: "rate")) var gflops: Double?
  @Option(help: ArgumentHelp("GPUs, each a rank.", valueName: "n")) var gpus: Int?
  @Option(help: ArgumentHelp("Peak of a GPU, TF/s in TF32 without sparsity.", valueName: "rate")) var tflops: Double?
  @Option(help: ArgumentHelp("Memory of a rank, GB.", valueName: "size")) var memory: Double?
  @Option(help: ArgumentHelp("Memory bandwidth of a rank, GB/s.", valueName: "rate")) var bandwidth: Double?
  @Option(help: ArgumentHelp("What a rank sends to others, GB/s.", valueName: "rate")) var link: Double?

  func validate() throws {
    for (name, value) in [
      ("nodes", nodes.map(Double.init)), ("cores", cores.map(Double.init)), ("gflops", gflops),
      ("gpus", gpus.map(Double.init)), ("tflops", tflops), ("memory", memory), ("bandwidth", bandwidth), ("link", link),
    ] {
      guard let value else { continue }
      guard value.isFinite, value > 0, value <= 1e9 else { throw ValidationError("--\(name) needs a positive number.") }
    }
    let cpu = nodes != nil || cores != nil || gflops != nil
    guard !(cpu && (gpus != nil || tflops != nil)) else {
      throw ValidationError("--nodes, --cores and --gflops describe CPUs, --gpus and --tflops GPUs: choose one kind.")
    }
    let known = ["this"] + PlannedMachine.known.map(\.name)
    guard known.contains(machine) else {
      throw ValidationError("--machine '\(machine)' is none of \(known.joined(separator: ", ")).")
    }
  }

  /// - Throws: what starting the engine throws, where the machine's own rates have to be measured.
  func planned() throws -> PlannedMachine {
    let isGPU = gpus != nil || tflops != nil
    var planned = try PlannedMachine.known.first { $0.name == machine } ?? (isGPU ? .h100 : thisMachine)
    if isGPU, !planned.isGPU { planned = .h100 }
    if nodes != nil || cores != nil || gflops != nil, planned.isGPU { planned = .laptop }
    let before = planned
    if let count = nodes ?? gpus { planned.ranks = count }
    if let tflops { planned.peak = tflops * 1e12 }
    if cores != nil || gflops != nil {
      let now = machine == "this" ? Double(try Self.threads) : planned.peak / Self.usualCore
      planned.peak = (cores.map(Double.init) ?? now) * (gflops.map { $0 * 1e9 } ?? planned.peak / now)
    }
    if let memory { planned.memory = memory * 1e9 }
    if let bandwidth { planned.bandwidth = bandwidth * 1e9 }
    if let link { planned.link = link * 1e9 }
    if planned != before { planned.name += ", changed" }
    return planned
  }

  /// GF/s of a core with AVX2 at 2 GHz.
  private static let usualCore = 64e9

  /// As many as training would use here.
  private static var threads: Int { get throws { try EngineSettings().threads ?? ProcessorCount.available } }

  /// The machine that this runs on. Rates that no option gives are measured: cores differ by more than a factor of two.
  private var thisMachine: PlannedMachine {
    get throws {
      // The two rates are those of no machine in particular; an option or a measurement takes the place of each.
      var here = PlannedMachine(
        name: "this", isGPU: false, ranks: 1, peak: Double(try Self.threads) * Self.usualCore,
        memory: Double(ProcessInfo.processInfo.physicalMemory), bandwidth: 20e9, link: 1e9)
      if gflops == nil { here.measured.insert(.peak) }
      if bandwidth == nil { here.measured.insert(.bandwidth) }
      guard !here.measured.isEmpty else { return here }
      let rates = EngineRates(try EngineSettings().makeBackend())
      if gflops == nil { here.peak = try rates.products() }
      if bandwidth == nil { here.bandwidth = try rates.bandwidth() }
      return here
    }
  }
}
