import Checkpoints
public import Foundation

/// Keeps two processes from training into one folder.
public final class RunLock {
  private let lock: FolderLock

  /// Locks `folder`, which must exist, for as long as this object lives.
  /// - Throws: `RunError.locked`; `CheckpointError.unwritable` where no file can be made.
  public init(_ folder: URL) throws {
    do {
      lock = try FolderLock(folder)
    } catch let taken as FolderLock.Taken {
      throw RunError.locked(path: folder.path, process: taken.process)
    }
  }
}
