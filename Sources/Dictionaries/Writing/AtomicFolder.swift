import Checkpoints
package import Foundation

/// A folder that appears whole or not at all: it is filled under a temporary name beside its destination and then
/// renamed. The destination may be an empty folder, which it replaces. Dropped without `commit()` it leaves nothing
/// behind.
package final class AtomicFolder {
  /// The destination.
  package let url: URL
  /// Where to write until then.
  package let temporary: URL
  private var isCommitted = false

  /// Makes the temporary folder, and the folders above the destination.
  /// - Throws: `CheckpointError.unwritable`, also when `url` is a file or a folder that is not empty.
  package init(_ url: URL) throws {
    self.url = url.standardizedFileURL
    guard Self.isFree(url) else {
      throw CheckpointError.unwritable(file: url.path, reason: "it exists and is not an empty folder")
    }
    let parent = self.url.deletingLastPathComponent()
    temporary = parent.appending(path: ".partial-\(String(UInt64.random(in: .min ... .max), radix: 16))")
    do {
      try FileManager.default.createDirectory(at: temporary, withIntermediateDirectories: true)
    } catch {
      throw CheckpointError.unwritable(file: url.path, reason: "a folder in \(parent.path) cannot be made")
    }
  }

  deinit {
    if !isCommitted { try? FileManager.default.removeItem(at: temporary) }
  }

  /// Puts the folder in place. Its files are synced by whoever wrote them.
  /// - Throws: `CheckpointError.unwritable`, leaving the destination as it was.
  package func commit() throws {
    guard rename(temporary.path, url.path) == 0 else {
      throw CheckpointError.unwritable(file: url.path, reason: String(cString: strerror(errno)))
    }
    isCommitted = true
  }

  /// Whether nothing is at `url`, or an empty folder.
  package static func isFree(_ url: URL) -> Bool {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) else { return true }
    guard isFolder.boolValue else { return false }
    return (try? FileManager.default.contentsOfDirectory(atPath: url.path))?.isEmpty == true
  }
}
