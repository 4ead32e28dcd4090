import Atlas
import Dictionaries
import Foundation
import Gemma

/// Which dictionaries of an atlas a search is about: all, those named as the atlas names them, or some that lie
/// elsewhere now.
struct SearchDictionaries {
  let atlas: Atlas
  let options: DictionaryOptions

  /// Names in the atlas; nil for all.
  /// - Throws: `AtlasError.dictionary`.
  func names() throws -> [String]? {
    options.dictionary.isEmpty ? nil : try options.dictionary.map { try atlas.dictionary($0).name }
  }

  /// Opens them: from where they were when the atlas was made, or where `--dictionary` says.
  func open(for opened: OpenedModel) throws -> [SparseDictionary] {
    guard !options.dictionary.isEmpty else { return try atlas.dictionaries.map { try recorded($0, opened) } }
    var elsewhere = options
    elsewhere.dictionary = []
    var list: [SparseDictionary] = []
    for text in options.dictionary {
      if !FileManager.default.fileExists(atPath: text), let entry = try? atlas.dictionary(text) {
        list.append(try recorded(entry, opened))
      } else {
        elsewhere.dictionary.append(text)
      }
    }
    let found = try elsewhere.openAll(for: opened).map(\.dictionary)
    // A suite's folder may hold more than the atlas covers; what is named by itself must be in it.
    let known = found.filter { (try? atlas.dictionary($0.name)) != nil }
    if known.count < elsewhere.dictionary.count,
      let other = found.first(where: { (try? atlas.dictionary($0.name)) == nil })
    {
      _ = try atlas.dictionary(other.name)
    }
    list += known
    for dictionary in list { try check(dictionary) }
    return list
  }

  private func recorded(_ entry: AtlasDictionary, _ opened: OpenedModel) throws -> SparseDictionary {
    guard let path = entry.path, FileManager.default.fileExists(atPath: path) else {
      throw CommandError.usage(
        "'\(entry.name)' is not at \(entry.path ?? "any known place"), where it was when the atlas was made; name its "
          + "place, or its suite's folder, with --dictionary [NAME=]PATH")
    }
    let dictionary = try SparseDictionary(
      contentsOf: URL(filePath: path), name: entry.name, site: entry.reads.count == 1 ? entry.reads[0] : nil,
      backend: opened.backend)
    try dictionary.fits(opened.model.shape, modelName: opened.name)
    try check(dictionary)
    return dictionary
  }

  private func check(_ dictionary: SparseDictionary) throws {
    let entry = try atlas.dictionary(dictionary.name)
    guard dictionary.shape.reads == entry.reads, dictionary.shape.width == entry.width else {
      throw CommandError.input(
        source: dictionary.url.path, reason: "is \(dictionary.shape), the atlas's '\(entry.name)' is another")
    }
  }
}
