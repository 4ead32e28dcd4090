import Activations
import Checkpoints
import Dictionaries
import Foundation
import Sites
import Tensors

/// What a checkpoint is: one safetensors file for each dictionary's state, and a manifest that names them, written last.
/// Whatever the manifest does not name is a leftover.
struct CheckpointManifest: Codable, Equatable {
  struct Entry: Codable, Equatable {
    var name: String
    /// In the checkpoint's folder.
    var file: String
    var byteCount: Int
    var steps: Int
    /// Batches of the current window used.
    var used: Int
    /// Of `metrics.jsonl`.
    var metricsBytes: Int
    var sums: MetricsSums
    /// What the activations are divided by.
    var inputScales: [Float]
    var targetScales: [Float]

    private enum CodingKeys: String, CodingKey {
      case name, file, steps, used, sums
      case inputScales = "input_scales"
      case targetScales = "target_scales"
      case byteCount = "bytes"
      case metricsBytes = "metrics_bytes"
    }
  }

  var schema = 1
  /// Where the current window begins.
  var stream: StreamState
  /// Times the corpus was begun again.
  var passes: Int
  var identity: RunIdentity
  /// For each dictionary the numbers that decide how its state is to be read and its batches cut.
  var layouts: [RecipeLayout]
  var entries: [Entry]
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

/// The folder `checkpoint` of a run.
struct CheckpointFolder {
  let url: URL

  init(run folder: URL) { url = folder.appending(path: "checkpoint") }

  var manifestURL: URL { url.appending(path: "manifest.json") }
  var exists: Bool { FileManager.default.fileExists(atPath: manifestURL.path) }

  /// Writes a checkpoint beside the last one, then removes that.
  /// - Parameter states: what to write for each entry of the manifest, under the names it gives.
  /// - Throws: `CheckpointError.unwritable`, leaving the last checkpoint as it was.
  func write(_ manifest: CheckpointManifest, states: [[String: Tensor]]) throws {
    do {
      try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    } catch {
      throw CheckpointError.unwritable(file: url.path, reason: "the folder cannot be made")
    }
    var manifest = manifest
    let kept = exists ? Set((try? read().entries.map(\.file)) ?? []) : []
    let tag = String(UInt64.random(in: .min ... .max), radix: 16)
    do {
      for (index, tensors) in states.enumerated() {
        let file = "state-\(index)-\(tag).safetensors"
        try SafetensorsWriter.write(tensors, to: url.appending(path: file))
        manifest.entries[index].file = file
        manifest.entries[index].byteCount = size(file) ?? 0
      }
      try AtomicFile.writeJSON(manifest, to: manifestURL)
    } catch {
      clean(keeping: kept)
      throw error
    }
    clean(keeping: Set(manifest.entries.map(\.file)))
  }

  func read() throws -> CheckpointManifest {
    let manifest: CheckpointManifest
    do {
      manifest = try JSONDecoder().decode(CheckpointManifest.self, from: Data(contentsOf: manifestURL))
    } catch {
      throw RunError.checkpoint(path: manifestURL.path, reason: "the manifest cannot be read")
    }
    guard manifest.schema == 1 else {
      throw RunError.checkpoint(path: manifestURL.path, reason: "schema \(manifest.schema) is of another version")
    }
    for entry in manifest.entries {
      guard entry.file == URL(filePath: entry.file).lastPathComponent, let size = size(entry.file) else {
        throw RunError.checkpoint(path: url.path, reason: "\(entry.file) is missing")
      }
      guard size == entry.byteCount else {
        throw RunError.checkpoint(
          path: url.path, reason: "\(entry.file) has \(size) bytes, the manifest says \(entry.byteCount)")
      }
    }
    return manifest
  }

  /// The manifest goes first: what a kill leaves of the rest is no checkpoint any more.
  func remove() {
    unlink(manifestURL.path)
    try? FileManager.default.removeItem(at: url)
  }

  /// Removes what no manifest names: an older checkpoint, or parts of one that a killed process began.
  func clean(keeping files: Set<String>) {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: url.path)) ?? []
    for name in names where name != manifestURL.lastPathComponent && !files.contains(name) {
      try? FileManager.default.removeItem(at: url.appending(path: name))
    }
  }

  private func size(_ file: String) -> Int? {
    (try? url.appending(path: file).resourceValues(forKeys: [.fileSizeKey]))?.fileSize
  }
}
