import Checkpoints
import Foundation

/// SHA-256 of a model's weights.
enum ModelHash {
  /// Of the file, or of a folder's safetensors files: of the only one, else of the lines `name hash` of all, sorted.
  static func sha256(_ url: URL) throws -> String {
    var isFolder: ObjCBool = false
    _ = FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder)
    let check = { try Interruption.check() }
    guard isFolder.boolValue else { return try SHA256.hex(of: url, check: check) }
    let names = ((try? FileManager.default.contentsOfDirectory(atPath: url.path)) ?? [])
      .filter { $0.hasSuffix(".safetensors") }.sorted()
    if names.count == 1 { return try SHA256.hex(of: url.appending(path: names[0]), check: check) }
    var hash = SHA256()
    for name in names {
      hash.add("\(name) \(try SHA256.hex(of: url.appending(path: name), check: check))\n".utf8)
    }
    return hash.hex
  }
}
