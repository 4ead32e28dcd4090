import Foundation

/// The folders in which models are looked for by name.
struct ModelCache {
  let folders: [URL]
  /// What `GSCOPE_MODEL` says.
  let preferred: String?

  /// `models/` under the current folder, then `~/.cache/gemmascope/models`.
  static var standard: ModelCache {
    let environment = ProcessInfo.processInfo.environment
    return ModelCache(
      folders: [URL(filePath: "models"), cacheFolder(environment).appending(path: "models")],
      preferred: environment["GSCOPE_MODEL"].flatMap { $0.isEmpty ? nil : $0 })
  }

  static func cacheFolder(_ environment: [String: String] = ProcessInfo.processInfo.environment) -> URL {
    let home = environment["HOME"].map { URL(filePath: $0) } ?? FileManager.default.homeDirectoryForCurrentUser
    return home.appending(path: ".cache/gemmascope")
  }

  /// A model found by looking.
  struct Entry: Equatable {
    let name: String
    let url: URL
  }

  /// Models in the folders, by name: folders with a `config.json`, and GGUF files without their ending.
  var entries: [Entry] {
    folders.flatMap { folder -> [Entry] in
      let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
      return names.sorted().compactMap { name in
        let url = folder.appending(path: name)
        if name.hasSuffix(".gguf") { return Entry(name: String(name.dropLast(5)), url: url) }
        let configuration = url.appending(path: "config.json")
        return FileManager.default.fileExists(atPath: configuration.path) ? Entry(name: name, url: url) : nil
      }
    }
  }

  /// The model that `wanted` names, else the preferred one, else the only one there is.
  /// - Parameter flag: where `wanted` comes from, for errors.
  /// - Throws: `CommandError.model` telling what there is, or how to get one.
  func resolve(_ wanted: String?, flag: String = "--model") throws -> URL {
    if let wanted { return try find(wanted, flag: flag) }
    if let preferred { return try find(preferred, flag: "GSCOPE_MODEL") }
    let found = entries
    if found.count == 1 { return found[0].url }
    let places = folders.map(\.relativePath).joined(separator: " and ")
    guard !found.isEmpty else {
      throw CommandError.model(
        "no model: name one with --model PATH, or run 'make demo', which puts Gemma 3 270M into models/ "
          + "(looked in \(places))"
      )
    }
    throw CommandError.model("several models: choose one with --model: \(found.map(\.name).joined(separator: ", "))")
  }

  /// A path wins over a name; a name may be the beginning of one model's name.
  private func find(_ text: String, flag: String) throws -> URL {
    if FileManager.default.fileExists(atPath: text) { return URL(filePath: text) }
    let found = entries
    for match in [{ $0 == text }, { $0 + ".gguf" == text }, { $0.hasPrefix(text) }] as [(String) -> Bool] {
      let matches = found.filter { match($0.name) }
      if let first = matches.first, matches.count == 1 || first.name == text { return first.url }
      if matches.count > 1 {
        throw CommandError.model("\(flag) '\(text)' fits several: \(matches.map(\.name).joined(separator: ", "))")
      }
    }
    let known =
      found.isEmpty ? "; run 'make demo' to get one" : "; there are \(found.map(\.name).joined(separator: ", "))"
    throw CommandError.model("\(flag) '\(text)': no such file, folder or model\(known)")
  }
}
