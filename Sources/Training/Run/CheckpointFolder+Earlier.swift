import Checkpoints
import Foundation

/// A run that comes apart is noticed some steps later, and a checkpoint may have been written in between. So beside the last
/// one an earlier one stays, under a manifest of its own, until both the one that would take its place and the one
/// written after that were healthy. Going back to it is a matter of the root's manifests, whatever number of ranks
/// wrote the slices.
extension CheckpointFolder {
  var earlierURL: URL { url.appending(path: "earlier.json") }

  /// Nil when there is none, or none that is whole.
  var earlier: CheckpointManifest? {
    FileManager.default.fileExists(atPath: earlierURL.path) ? try? read(earlierURL) : nil
  }

  /// Files of both checkpoints.
  var namedFiles: Set<String> { ((try? read())?.files ?? []).union(earlier?.files ?? []) }

  /// Makes the last checkpoint the earlier one before `next` becomes the last. Until then both manifests name the same
  /// files.
  /// - Throws: `CheckpointError.unwritable`.
  func keepEarlier(before next: CheckpointManifest) throws {
    guard exists, let last = try? read(), last.isHealthy, next.isHealthy || earlier == nil else { return }
    guard let bytes = try? Data(contentsOf: manifestURL) else { return }
    try AtomicFile.write(bytes, to: earlierURL)
  }

  /// Goes back to the earlier checkpoint where the last one may be of the time in which the dictionary `name`, found
  /// apart at `step`, came apart. Returns that dictionary's step in the checkpoint that is left; nil without one.
  func retreat(_ name: String, at step: Int) -> Int? {
    guard exists, let last = try? read() else { return nil }
    func kept(_ manifest: CheckpointManifest) -> Int? { manifest.entries.first { $0.name == name }?.steps }
    // Within the watch's window the median does not yet tell.
    if last.isHealthy, let steps = kept(last), step - steps > DivergenceWatch.window { return steps }
    guard let earlier, let bytes = try? Data(contentsOf: earlierURL),
      (try? AtomicFile.write(bytes, to: manifestURL)) != nil
    else { return kept(last) }
    unlink(earlierURL.path)
    clean(keeping: earlier.files)
    return kept(earlier)
  }
}
