import Checkpoints
public import Collectives
public import Foundation
public import Tensors

/// The files that the ranks of a job write for one training state, in rank order.
public struct RankSlices: Codable, Equatable, Sendable {
  public struct File: Codable, Equatable, Sendable {
    /// In the checkpoint's folder.
    public var name: String
    public var bytes: Int
  }

  /// One a rank that saved it; not necessarily as many as there are ranks now.
  public var files: [File]
}

extension RankSlices {
  /// Every rank writes its slice `STEM-RANK-of-RANKS.safetensors`, atomically; when this returns on any rank, all slices are
  /// on the disk, and a manifest that names them may be committed (by one rank). All ranks call it.
  /// - Parameters:
  ///   - tensors: this rank's, as `TrainingState.tensors()` gives them.
  ///   - stem: names this checkpoint apart from the one it replaces, the same on every rank.
  /// - Throws: `CheckpointError.unwritable`; `CollectivesError`, on all ranks.
  public init(
    writing tensors: [String: Tensor], stem: String, in folder: URL, communicator: any Communicator
  ) throws {
    let count = communicator.count
    let names = (0..<count).map { "\(stem)-\($0)-of-\(count).safetensors" }
    let own = folder.appending(path: names[communicator.rank])
    try communicator.together { try SafetensorsWriter.write(tensors, to: own) }
    let sizes = try communicator.gatherOne(Self.size(of: own) ?? -1)
    files = zip(names, sizes).map { File(name: $0, bytes: $1) }
  }

  /// Looks whether all slices are there and have their sizes.
  /// - Throws: `RunError.checkpoint`.
  public func check(in folder: URL) throws {
    for file in files {
      let url = folder.appending(path: file.name)
      // Names come from a file: none may lead out of the folder.
      guard file.name == url.lastPathComponent, let size = Self.size(of: url) else {
        throw RunError.checkpoint(path: folder.path, reason: "\(file.name) is missing")
      }
      guard size == file.bytes else {
        throw RunError.checkpoint(
          path: folder.path, reason: "\(file.name) has \(size) bytes, the manifest says \(file.bytes)")
      }
    }
  }

  /// Fills a state, whatever number of ranks it is spread over now, from the slices of however many ranks there were.
  /// - Throws: `RunError.checkpoint`, `TrainingError.saved`, `CheckpointError`. The state is then of no use.
  public func restore(_ state: TrainingState, from folder: URL) throws {
    try check(in: folder)
    try state.restore(files.map { try SafetensorsFile(folder.appending(path: $0.name)) })
  }

  private static func size(of url: URL) -> Int? {
    (try? URL(filePath: url.path).resourceValues(forKeys: [.fileSizeKey]))?.fileSize
  }
}
