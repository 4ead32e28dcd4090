import Activations
import Checkpoints
import Collectives
import Dictionaries
import Foundation
import Sites
import Tensors

/// What a checkpoint is: for each dictionary's state one safetensors file a rank, and a manifest that names them, written
/// last. Whatever the manifest does not name is a leftover.
struct CheckpointManifest: Codable, Equatable {
  struct Entry: Codable, Equatable {
    var name: String
    /// In the checkpoint's folder.
    var slices: RankSlices
    var steps: Int
    /// Batches of the current window used.
    var used: Int
    /// Of `metrics.jsonl`.
    var metricsBytes: Int
    var sums: MetricsSums
    /// Nil in checkpoints of versions that had none.
    var watch: DivergenceWatch?
    /// What the activations are divided by.
    var inputScales: [Float]
    var targetScales: [Float]

    private enum CodingKeys: String, CodingKey {
      case name, slices, steps, used, sums, watch
      case inputScales = "input_scales"
      case targetScales = "target_scales"
      case metricsBytes = "metrics_bytes"
    }
  }

  static let schema = 2
  var schema = Self.schema
  /// Where the current window begins.
  var stream: StreamState
  /// Times the corpus was begun again.
  var passes: Int
  var identity: RunIdentity
  /// For each dictionary the numbers that decide how its state is to be read and its batches cut.
  var layouts: [RecipeLayout]
  var entries: [Entry]

  /// Names of all it consists of.
  var files: Set<String> { Set(entries.flatMap(\.slices.files).map(\.name)) }

  /// Whether all dictionaries did as well as ever when it was written.
  var isHealthy: Bool { entries.allSatisfy { $0.watch?.isHealthy ?? true } }
}

/// The part of a recipe that must not change while a run is under way. Learning rates and loss coefficients may: that is
/// how a run that diverged is saved.
struct RecipeLayout: Codable, Equatable {
  var kind, objective: String
  var sites: [String]
  var width, batch, repeats, tokens, seed, context, window: Int
  var isAffine: Bool
  var normFilter: Double?
  var prefixes: [Int]
  var hasFirstMoment: Bool
  /// Nil where activations alone are learned from.
  var isEndToEnd: Bool?

  init(_ recipe: Recipe) {
    kind = recipe.kind.rawValue
    objective = recipe.objective.rawValue
    sites = (recipe.reads + recipe.writes).map(\.description)
    (width, batch, repeats, tokens) = (recipe.width, recipe.batch, recipe.repeats, recipe.tokens)
    (seed, context, window) = (recipe.seed, recipe.context, recipe.window)
    isAffine = recipe.isAffine
    normFilter = recipe.normFilter
    prefixes = recipe.matryoshka.prefixes
    hasFirstMoment = recipe.adam.beta1 > 0
    isEndToEnd = recipe.endToEnd.map { _ in true }
  }

  /// The first key that differs, with both values.
  func difference(from other: RecipeLayout) -> (key: String, own: String, other: String)? {
    let pairs = zip(Mirror(reflecting: self).children, Mirror(reflecting: other).children)
    for (own, theirs) in pairs where "\(own.value)" != "\(theirs.value)" {
      return (own.label ?? "recipe", "\(own.value)", "\(theirs.value)")
    }
    return nil
  }
}

/// The folder `checkpoint` of a run: the last checkpoint, and one before that is known to be good.
struct CheckpointFolder {
  let url: URL

  init(run folder: URL) { url = folder.appending(path: "checkpoint") }

  var manifestURL: URL { url.appending(path: "manifest.json") }
  var exists: Bool { FileManager.default.fileExists(atPath: manifestURL.path) }

  /// Writes a checkpoint beside those there, then removes what is not needed any more. All ranks call it.
  /// - Parameters:
  ///   - states: what this rank writes for each entry of the manifest, whose slices are not looked at.
  ///   - manifest: the root's counts.
  /// - Throws: `CheckpointError.unwritable`, `CollectivesError`; the last checkpoint is then the one before, or this one
  ///   where a rank was lost after it.
  func write(_ manifest: CheckpointManifest, states: [[String: Tensor]], communicator: any Communicator) throws {
    let isRoot = communicator.isRoot
    let tag = try communicator.fromRoot {
      do {
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
      } catch {
        throw CheckpointError.unwritable(file: url.path, reason: "the folder cannot be made")
      }
      return String(UInt64.random(in: .min ... .max), radix: 16)
    }
    let kept = isRoot && exists ? namedFiles : []
    var manifest = manifest
    do {
      for (index, tensors) in states.enumerated() {
        manifest.entries[index].slices = try RankSlices(
          writing: tensors, stem: "state-\(index)-\(tag)", in: url, communicator: communicator)
      }
      try communicator.together {
        guard isRoot else { return }
        try keepEarlier(before: manifest)
        try AtomicFile.writeJSON(manifest, to: manifestURL)
      }
    } catch {
      // A rank may be lost once the manifest is written, which then stands.
      if isRoot { clean(keeping: kept.union(namedFiles)) }
      throw error
    }
    if isRoot { clean(keeping: manifest.files.union(earlier?.files ?? [])) }
  }

  /// - Throws: `RunError.checkpoint`.
  func read() throws -> CheckpointManifest { try read(manifestURL) }

  func read(_ manifestURL: URL) throws -> CheckpointManifest {
    struct Version: Decodable { var schema: Int }
    let decoder = JSONDecoder()
    guard let data = try? Data(contentsOf: manifestURL),
      let schema = try? decoder.decode(Version.self, from: data).schema
    else { throw RunError.checkpoint(path: manifestURL.path, reason: "the manifest cannot be read") }
    guard schema == CheckpointManifest.schema else {
      throw RunError.checkpoint(path: manifestURL.path, reason: "schema \(schema) is of another version")
    }
    guard let manifest = try? decoder.decode(CheckpointManifest.self, from: data) else {
      throw RunError.checkpoint(path: manifestURL.path, reason: "the manifest cannot be read")
    }
    for entry in manifest.entries { try entry.slices.check(in: url) }
    return manifest
  }

  /// The manifest goes first: what a kill leaves of the rest is no checkpoint any more.
  func remove() {
    unlink(manifestURL.path)
    try? FileManager.default.removeItem(at: url)
  }

  /// Removes what no manifest names: an older checkpoint, or parts of one that a killed process began.
  func clean(keeping files: Set<String>) {
    let manifests = [manifestURL, earlierURL].map(\.lastPathComponent)
    let names = (try? FileManager.default.contentsOfDirectory(atPath: url.path)) ?? []
    for name in names where !manifests.contains(name) && !files.contains(name) {
      try? FileManager.default.removeItem(at: url.appending(path: name))
    }
  }
}
