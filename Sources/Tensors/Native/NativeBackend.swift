import CKernels

/// The CPU engine: the kernels of one instruction set on threads of its own.
///
/// Results are the same bits for any number of threads. Instruction sets agree within rounding.
public final class NativeBackend: Backend {
  /// A set of vector instructions that the kernels are built for.
  public enum InstructionSet: String, CaseIterable, Sendable {
    case scalar, avx2, avx512, neon

    var kernelName: gs_isa {
      switch self {
      case .scalar: GS_SCALAR
      case .avx2: GS_AVX2
      case .avx512: GS_AVX512
      case .neon: GS_NEON
      }
    }

    /// Whether this machine (and this build) can run it.
    public var isAvailable: Bool { gs_kernels_for(kernelName) != nil }

    /// Those this machine can run.
    public static var available: [InstructionSet] { allCases.filter(\.isAvailable) }
  }

  /// A constant table of C functions: sharing it is safe, though the compiler takes C pointers for not Sendable.
  nonisolated(unsafe) let kernels: gs_kernels
  let threadPool: ThreadPool
  /// The instruction set in use.
  public let instructionSet: InstructionSet
  /// Threads in use, the caller's included.
  public var threads: Int { threadPool.threads }
  public var name: String { "cpu (\(instructionSet.rawValue), \(threads) thread\(threads == 1 ? "" : "s"))" }

  /// An engine on `isa` (the fastest there is when nil) with `threads` threads (all available cores when nil).
  /// - Throws: `TensorError.unavailable` when the machine lacks the instruction set or threads cannot be started.
  public init(isa: InstructionSet? = nil, threads: Int? = nil) throws {
    guard let table = isa.map({ gs_kernels_for($0.kernelName) }) ?? gs_kernels_best() else {
      throw TensorError.unavailable("this machine cannot run the \(isa?.rawValue ?? "native") kernels")
    }
    kernels = table.pointee
    instructionSet = InstructionSet.allCases.first { $0.kernelName == table.pointee.isa } ?? .scalar
    threadPool = try ThreadPool(threads: threads ?? ProcessorCount.available)
  }

  var pool: OpaquePointer { threadPool.pointer }
}
