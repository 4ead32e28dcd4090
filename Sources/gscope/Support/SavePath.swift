import ArgumentParser
import Foundation

/// Where `--save` puts a file. What cannot work is better found before the model runs than after.
enum SavePath {
  /// - Throws: `ValidationError` for an empty path.
  static func validate(_ path: String?) throws {
    if path?.isEmpty == true { throw ValidationError("--save names no file.") }
  }

  /// - Throws: `CommandError.file` when `path` is something else than a file, or lies where none can be written.
  static func check(_ path: String) throws {
    func failure(_ reason: String) -> CommandError { .file(path: path, reason: "cannot be written: \(reason)") }
    var status = stat()
    if stat(path, &status) == 0 {
      switch status.st_mode & S_IFMT {
      case S_IFREG: break
      case S_IFDIR: throw failure("it is a folder")
      default: throw failure("it is no regular file")
      }
    } else if path.hasSuffix("/") {
      throw failure("it names a folder")
    }
    let folder = URL(filePath: path).deletingLastPathComponent()
    guard FileManager.default.isWritableFile(atPath: folder.path) else {
      throw failure("\(folder.path) is no folder that can be written to")
    }
  }
}
