import ArgumentParser
import Checkpoints
import Foundation
import Gemma
import Tensors
import Tokenization

/// Which model to run, and on what.
struct ModelOptions: ParsableArguments {
  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "The model: a Hugging Face folder, a GGUF file, or the name of one in models/ or ~/.cache/gemmascope/models.",
      valueName: "path|name"),
    completion: .file())
  var model: String?

  @Option(help: ArgumentHelp("Where to run; this version has cpu.", valueName: "device"))
  var device = Device.cpu

  @Option(help: ArgumentHelp("A libtorch folder; not in this version.", visibility: .hidden))
  var torch: String?

  @Option(help: ArgumentHelp("An adapter folder; not in this version.", visibility: .hidden))
  var adapter: String?

  /// Where the model is.
  /// - Throws: `CommandError.model`, `.unavailable`.
  func locate() throws -> URL {
    try device.check()
    let cpu = "leave it out"
    if torch != nil { throw CommandError.unavailable(flag: "--torch", alternative: cpu) }
    if adapter != nil { throw CommandError.unavailable(flag: "--adapter", alternative: cpu) }
    return try ModelCache.standard.resolve(model)
  }

  /// Opens the model on a new engine.
  /// - Parameter threads: where the environment does not say; all available cores when nil.
  /// - Throws: also `ValidationError` for an environment variable with a value that cannot be meant.
  func open(threads: Int? = nil) throws -> OpenedModel {
    let url = try locate()
    return try OpenedModel(url, backend: try EngineSettings().makeBackend(threads: threads))
  }
}

/// `--device`.
enum Device: ExpressibleByArgument, Equatable {
  case cpu
  /// One this version cannot run on, as written.
  case other(String)

  init?(argument: String) {
    switch argument {
    case "cpu": self = .cpu
    case "cuda", "mps", "torch-cpu": self = .other(argument)
    default:
      guard argument.hasPrefix("cuda:"), Int(argument.dropFirst(5)).map({ $0 >= 0 }) == true else { return nil }
      self = .other(argument)
    }
  }

  var defaultValueDescription: String { "cpu" }
  static var allValueStrings: [String] { ["cpu", "cuda", "mps", "torch-cpu"] }

  /// - Throws: `CommandError.unavailable`.
  func check() throws {
    if case .other(let name) = self {
      throw CommandError.unavailable(flag: "--device \(name)", alternative: "use --device cpu")
    }
  }
}

/// How the CPU engine runs: `GSCOPE_ISA` and `GSCOPE_THREADS`.
struct EngineSettings {
  let isa: NativeBackend.InstructionSet?
  let threads: Int?

  /// - Throws: `ValidationError` for a value that cannot be meant.
  init(_ environment: [String: String] = ProcessInfo.processInfo.environment) throws {
    threads = try Self.threads(environment)
    isa = try Self.instructionSet(environment)
  }

  static func threads(_ environment: [String: String]) throws -> Int? {
    try environment["GSCOPE_THREADS"].map { text in
      guard let count = Int(text), 1...1024 ~= count else {
        throw ValidationError("GSCOPE_THREADS is '\(text)'; expected a number of threads from 1 to 1024.")
      }
      return count
    }
  }

  static func instructionSet(_ environment: [String: String]) throws -> NativeBackend.InstructionSet? {
    try environment["GSCOPE_ISA"].map { text in
      guard let isa = NativeBackend.InstructionSet(rawValue: text) else {
        let known = NativeBackend.InstructionSet.allCases.map(\.rawValue).joined(separator: ", ")
        throw ValidationError("GSCOPE_ISA is '\(text)'; expected one of \(known).")
      }
      return isa
    }
  }

  /// - Parameter threads: where the environment does not say.
  func makeBackend(threads other: Int? = nil) throws -> NativeBackend {
    try NativeBackend(isa: isa, threads: threads ?? other)
  }
}
