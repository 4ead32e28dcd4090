import Atlas
import Foundation
import Tensors

/// What the machine offers: processor, cores, memory, disk.
enum MachineCheckups {
  static func all(_ environment: [String: String]) -> [Checkup] {
    [system, processor(environment), threads(environment), memory, cache(environment), torch(environment), sqlite]
  }

  private static var system: Checkup {
    Checkup("version", .ok, "gscope \(Gscope.version) on \(ProcessInfo.processInfo.operatingSystemVersionString)")
  }

  private static func processor(_ environment: [String: String]) -> Checkup {
    let available = NativeBackend.InstructionSet.available.map(\.rawValue).joined(separator: ", ")
    do {
      let wanted = try EngineSettings.instructionSet(environment)
      let chosen = try NativeBackend(isa: wanted, threads: 1).instructionSet.rawValue
      let why = environment["GSCOPE_ISA"] == nil ? "the fastest" : "GSCOPE_ISA"
      let model = processorName.map { "\($0): " } ?? ""
      return Checkup(
        "processor", chosen == "scalar" ? .warning : .ok, "\(model)can run \(available); uses \(chosen) (\(why))",
        advice: chosen == "scalar" ? "without vector instructions everything is many times slower" : nil)
    } catch {
      return Checkup("processor", .failed, "\(error)", advice: "unset GSCOPE_ISA or choose one of \(available)")
    }
  }

  private static var processorName: String? {
    let text = contents("/proc/cpuinfo") ?? ""
    let line = text.split(separator: "\n").first { $0.hasPrefix("model name") }
    return line?.split(separator: ":", maxSplits: 1).last.map { $0.trimmingCharacters(in: .whitespaces) }
  }

  private static func threads(_ environment: [String: String]) -> Checkup {
    let installed = ProcessInfo.processInfo.processorCount
    let allowed = ProcessInfo.processInfo.activeProcessorCount
    let usable = ProcessorCount.available
    do {
      let chosen = try EngineSettings.threads(environment) ?? usable
      var reasons = ["\(Format.count(installed, "core"))"]
      if allowed < installed { reasons.append("affinity allows \(allowed)") }
      if let quota { reasons.append("the container's quota is \(quota)") }
      if environment["GSCOPE_THREADS"] != nil { reasons.append("GSCOPE_THREADS says \(chosen)") }
      return Checkup(
        "threads", chosen > usable ? .warning : .ok, "uses \(chosen) (\(reasons.joined(separator: ", ")))",
        advice: chosen > usable ? "more threads than the \(usable) usable cores are slower" : nil)
    } catch {
      return Checkup("threads", .failed, "\(error)", advice: "unset GSCOPE_THREADS")
    }
  }

  /// The CPU quota of the control group, in cores.
  private static var quota: String? {
    guard let fields = contents("/sys/fs/cgroup/cpu.max")?.split(whereSeparator: \.isWhitespace), fields.count == 2,
      let limit = Double(fields[0]), let period = Double(fields[1]), period > 0
    else { return nil }
    return "\(Format.short(limit / period)) cores"
  }

  private static var memory: Checkup {
    let installed = Int(clamping: ProcessInfo.processInfo.physicalMemory)
    let free = (contents("/proc/meminfo") ?? "").split(separator: "\n").first { $0.hasPrefix("MemAvailable") }
      .flatMap { $0.split(separator: " ").dropFirst().first }.flatMap { Int($0) }.map { $0 * 1024 }
    let finding = Format.bytes(installed) + (free.map { ", \(Format.bytes($0)) available" } ?? "")
    let isLittle = (free ?? installed) < 1 << 30
    return Checkup(
      "memory", isLittle ? .warning : .ok, finding,
      advice: isLittle ? "Gemma 3 270M needs about 1 GB; close other programs" : nil)
  }

  private static func cache(_ environment: [String: String]) -> Checkup {
    let folder = ModelCache.cacheFolder(environment)
    let attributes = try? FileManager.default.attributesOfFileSystem(forPath: existingParent(of: folder).path)
    let free = (attributes?[.systemFreeSize] as? NSNumber).map { ", \(Format.bytes($0.intValue)) free" } ?? ""
    let state = FileManager.default.fileExists(atPath: folder.path) ? "" : " (not there yet)"
    let isWritable = FileManager.default.isWritableFile(atPath: existingParent(of: folder).path)
    return Checkup(
      "cache", isWritable ? .ok : .warning, "\(folder.path)\(state)\(free)",
      advice: isWritable ? nil : "it cannot be written to; models can be named by path")
  }

  private static func existingParent(of url: URL) -> URL {
    var url = url
    while url.pathComponents.count > 1, !FileManager.default.fileExists(atPath: url.path) {
      url.deleteLastPathComponent()
    }
    return url
  }

  /// Looks for libtorch where installations put it, without loading it.
  private static func torch(_ environment: [String: String]) -> Checkup {
    let library = "libtorch_cpu." + (isMac ? "dylib" : "so")
    var folders = (environment["LD_LIBRARY_PATH"] ?? "").split(separator: ":").map(String.init)
    folders += ["/usr/lib", "/usr/local/lib", "/opt/libtorch/lib"]
    for root in [environment["VIRTUAL_ENV"], ".venv"].compactMap({ $0 }) {
      let pythons = (try? FileManager.default.contentsOfDirectory(atPath: root + "/lib")) ?? []
      folders += pythons.sorted().map { "\(root)/lib/\($0)/site-packages/torch/lib" }
    }
    let found = folders.first { FileManager.default.fileExists(atPath: "\($0)/\(library)") }
    return Checkup("torch", .ok, (found.map { "found in \($0)" } ?? "not found") + "; this version does not use it")
  }

  /// What atlases are kept in.
  private static var sqlite: Checkup {
    guard let library = try? AtlasLibrary() else {
      return Checkup("sqlite", .warning, "does not work", advice: "install libsqlite3 for gscope atlas")
    }
    let search = library.hasTextSearch ? "with FTS5" : "without FTS5"
    let isEnough = library.hasTextSearch && library.hasStrictTables
    return Checkup(
      "sqlite", isEnough ? .ok : .warning, "\(library.version) \(search)",
      advice: isEnough ? nil : "gscope atlas needs SQLite 3.37 or newer with FTS5")
  }

  private static var isMac: Bool {
    #if os(macOS)
      true
    #else
      false
    #endif
  }

  private static func contents(_ path: String) -> String? { try? String(contentsOfFile: path, encoding: .utf8) }
}
