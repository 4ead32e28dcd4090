/// The machine that a plan is for: equal ranks, each a CPU node or one GPU.
public struct PlannedMachine: Equatable, Sendable {
  public var name: String
  public var isGPU: Bool
  public var ranks: Int
  /// Peak operations a second of one rank in fp32 (GPUs: TF32), dense; where it was measured, what large products reach.
  public var peak: Double
  /// Bytes of memory that one rank has.
  public var memory: Double
  /// Bytes a second of one rank's memory.
  public var bandwidth: Double
  /// Bytes a second that one rank sends to others.
  public var link: Double
  /// Rates that were measured on the machine; the others are from data sheets or taken for granted.
  public var measured: Set<Rate>

  public enum Rate: String, CaseIterable, Sendable { case peak, bandwidth }

  public init(
    name: String, isGPU: Bool, ranks: Int, peak: Double, memory: Double, bandwidth: Double, link: Double,
    measured: Set<Rate> = []
  ) {
    self.name = name
    self.isGPU = isGPU
    self.ranks = ranks
    self.peak = peak
    self.memory = memory
    self.bandwidth = bandwidth
    self.link = link
    self.measured = measured
  }

  /// Share of `peak` that large products reach.
  public var productShare: Double { measured.contains(.peak) ? 1 : PlanAssumptions.productShare(isGPU: isGPU) }

  /// Peak of the model's own pass: GPUs run it in bf16, at twice their TF32 rate.
  public var modelPeak: Double { isGPU ? 2 * peak : peak }

  /// A laptop of 8 cores with AVX2 at about 2 GHz: 8 lanes × 2 units × 2 operations a cycle.
  public static let laptop = PlannedMachine(
    name: "laptop", isGPU: false, ranks: 1, peak: 8 * 64e9, memory: 16e9, bandwidth: 40e9, link: 1e9)
  /// Sixteen two-socket nodes of 64 cores with 512 GB, on a 100 Gb/s network.
  public static let cpuCluster = PlannedMachine(
    name: "cpu-cluster", isGPU: false, ranks: 16, peak: 64 * 64e9, memory: 512e9, bandwidth: 300e9, link: 12.5e9)
  /// One H100 SXM (NVIDIA's data sheet without sparsity: 494.7 TF/s TF32, 80 GB, 3.35 TB/s; NVLink 450 GB/s each way).
  public static let h100 = PlannedMachine(
    name: "h100", isGPU: true, ranks: 1, peak: 494.7e12, memory: 80e9, bandwidth: 3.35e12, link: 450e9)
  /// Eight of them in one machine.
  public static let eightH100: PlannedMachine = {
    var machine = h100
    machine.name = "8xh100"
    machine.ranks = 8
    return machine
  }()

  public static let known = [laptop, cpuCluster, h100, eightH100]
}

/// What a plan takes for granted; `docs/scale.md` gives the reasons.
public enum PlanAssumptions {
  /// Share of the peak that large products reach: CPUs 80 % (our GEMM's target), GPUs 50 % (Gemma Scope 1 reports 50.8 % on
  /// TPUs for a 131k SAE).
  public static func productShare(isGPU: Bool) -> Double { isGPU ? 0.5 : 0.8 }
  /// Pairs inside the straight-through kernel's window, for each active one.
  public static let windowShare = 0.1
  /// Work on pairs streams rows: 4 bytes for every 2 operations, at the memory's rate.
  public static let pairBytesPerFlop = 2.0
  /// The optimiser reads and writes value and second moment of what a step touched, in fp32.
  public static let optimiserBytesPerNumber = 16.0
  /// Share of a rank's memory that a plan fills.
  public static let memoryShare = 0.9
  /// Bytes of a stored activation: int8 has an fp32 scale for each token besides.
  public static let storeFormats: [(name: String, bytes: Double, perToken: Double)] = [
    ("fp32", 4, 0), ("bf16", 2, 0), ("int8", 1, 4),
  ]
}
