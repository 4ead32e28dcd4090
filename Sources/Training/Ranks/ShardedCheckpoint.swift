import Checkpoints
public import Collectives
public import Foundation

/// A folder that holds one training state in slices, one a rank, committed by `manifest.json`:
///
///     {"schema":1,"steps":1200,"slices":{"files":[{"name":"state-1200-0-of-4.safetensors","bytes":…},…]}}
///
/// The manifest is written last, so a job that ends at any moment leaves the checkpoint before or this one.
public struct ShardedCheckpoint {
  private struct Manifest: Codable {
    var schema = 1
    var steps: Int
    var slices: RankSlices
  }

  public let folder: URL

  public init(_ folder: URL) { self.folder = folder }

  private var manifestURL: URL { folder.appending(path: "manifest.json") }

  /// Whether a checkpoint was committed.
  public var exists: Bool { FileManager.default.fileExists(atPath: manifestURL.path) }

  /// Writes all slices, then the manifest, then removes what it does not name. All ranks call it.
  /// - Throws: `CheckpointError.unwritable`; `CollectivesError`.
  public func write(_ state: TrainingState, communicator: any Communicator) throws {
    if communicator.isRoot {
      do {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      } catch {
        throw CheckpointError.unwritable(file: folder.path, reason: "the folder cannot be made")
      }
    }
    try communicator.barrier()
    // The same step may be saved twice (by another number of ranks, or after an interruption): tags keep names apart.
    let tag = try communicator.broadcast([UInt32.random(in: .min ... .max)])[0]
    let slices = try RankSlices(
      writing: state.tensors(), stem: "state-\(state.steps)-\(String(tag, radix: 16))", in: folder,
      communicator: communicator)
    if communicator.isRoot {
      let manifest = Manifest(steps: state.steps, slices: slices)
      let bytes = try JSONEncoder().encode(manifest)
      let file = try AtomicFile(manifestURL, byteCount: bytes.count)
      try bytes.withUnsafeBytes { try file.write($0, at: 0) }
      try file.commit()
      removeAllBut(Set(slices.files.map(\.name)))
    }
    try communicator.barrier()
  }

  /// Takes up the committed checkpoint; every rank reads the rows of its own features from all slices.
  /// - Throws: `TrainingError.saved`, `CheckpointError`.
  public func restore(_ state: TrainingState) throws {
    guard let data = try? Data(contentsOf: manifestURL),
      let manifest = try? JSONDecoder().decode(Manifest.self, from: data), manifest.schema == 1
    else {
      throw TrainingError.saved(
        tensor: manifestURL.path, expected: "a manifest of schema 1", found: "none that can be read")
    }
    try manifest.slices.restore(state, from: folder)
    guard state.steps == manifest.steps else {
      throw TrainingError.saved(
        tensor: "counters", expected: "\(manifest.steps) steps, as the manifest says", found: "\(state.steps)")
    }
  }

  private func removeAllBut(_ names: Set<String>) {
    let found = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    for name in found where name.hasSuffix(".safetensors") && !names.contains(name) {
      try? FileManager.default.removeItem(at: folder.appending(path: name))
    }
  }
}
