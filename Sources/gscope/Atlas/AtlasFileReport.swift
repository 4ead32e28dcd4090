import Atlas
import Foundation

/// What an export or an import wrote, as JSON: `"output"`, `"kind"`, what there is to tell of it, `"bytes"`.
struct AtlasFileReport {
  /// The file or folder that was written.
  let url: URL
  let kind: String
  let members: [(key: String, value: JSONValue)]

  func write() throws {
    try StandardOutput.line(
      .document(
        [("output", .string(url.path)), ("kind", .string(kind))] + members + [("bytes", .integer(try bytes()))]))
  }

  /// The size of the file, or of all files in the folder.
  private func bytes() throws -> Int {
    var total = try Self.size(url) ?? 0
    let files = FileManager.default.enumerator(
      at: url, includingPropertiesForKeys: [.fileSizeKey, .isRegularFileKey], options: [], errorHandler: nil)
    while let file = files?.nextObject() as? URL { total += try Self.size(file) ?? 0 }
    return total
  }

  private static func size(_ url: URL) throws -> Int? {
    let values = try url.resourceValues(forKeys: [.fileSizeKey, .isRegularFileKey])
    return values.isRegularFile == true ? values.fileSize : nil
  }

  /// What an import of either kind made.
  static func imported(_ atlas: Atlas, from source: String, seconds: Double) throws {
    let features = atlas.dictionaries.reduce(0) { $0 + $1.features }
    try AtlasFileReport(
      url: atlas.url, kind: "atlas",
      members: [
        ("from", .string(source)), ("features", .integer(features)),
        ("dictionaries", dictionaries(atlas.dictionaries)), ("seconds", .double(seconds)),
      ]
    ).write()
  }

  /// Dictionaries of an atlas with the features of each.
  static func dictionaries(_ list: [AtlasDictionary]) -> JSONValue {
    .array(list.map { ["name": .string($0.name), "features": .integer($0.features)] })
  }
}
