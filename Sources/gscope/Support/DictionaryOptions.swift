import ArgumentParser
import Dictionaries
import Foundation
import Gemma
import Logging
import Sites
import Tensors

/// Which dictionaries to read the model through.
struct DictionaryOptions: ParsableArguments {
  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "A dictionary: its folder or npz file, or a suite's folder. Repeatable; NAME= gives it a name.",
      valueName: "[name=]path"),
    completion: .file())
  var dictionary: [String] = []

  @Option(help: ArgumentHelp("The dictionary of a suite with so many features (16384 or 16k).", valueName: "width"))
  var width: String?

  @Option(help: ArgumentHelp("The dictionary of a suite with this target L0 (20 or small).", valueName: "l0"))
  var l0: String?

  @Flag(inversion: .prefixedNo, help: "The dictionary of a suite with, or without, an affine skip connection.")
  var affine: Bool?

  @Option(
    help: ArgumentHelp(
      "The site that the dictionary reads: chooses within a suite, or replaces what a single dictionary says.",
      valueName: "site"),
    transform: { try SiteList.site($0, flag: "--at") })
  var at: Site?

  func validate() throws {
    var names: Set<String> = []
    for text in dictionary {
      let named = NamedPath(text)
      if named.path.isEmpty { throw ValidationError("--dictionary '\(text)' names no path.") }
      if let name = named.name, !names.insert(name).inserted {
        throw ValidationError("--dictionary: two dictionaries are called '\(name)'.")
      }
    }
  }

  func requireOne() throws {
    if dictionary.isEmpty { throw ValidationError("Missing --dictionary [NAME=]PATH.") }
  }

  /// Opens them all and checks that they fit `model`.
  func open(for model: OpenedModel) throws -> [SparseDictionary] {
    try dictionary.map { text in
      let dictionary = try open(NamedPath(text), backend: model.backend)
      try dictionary.fits(model.model.shape, modelName: model.name)
      if let warning = dictionary.weightsWarning(model: OpenedModel.publishedName(model.url)) {
        Diagnostics.log.warning("\(warning); its published figures may not hold here")
      }
      return dictionary
    }
  }

  private func open(_ named: NamedPath, backend: any Backend) throws -> SparseDictionary {
    let url = URL(filePath: named.path)
    if let (suite, selection) = try suite(at: url) {
      let entry = try suite.entry(selection)
      return try SparseDictionary(contentsOf: suite.url(of: entry), name: named.name ?? entry.name, backend: backend)
    }
    return try SparseDictionary(contentsOf: url, name: named.name, site: at, backend: backend)
  }

  /// The suite that `url` lies in, and what is wanted of it: a suite's own folder, or an entry's name below it.
  private func suite(at url: URL) throws -> (Suite, Suite.Selection)? {
    var selection = Suite.Selection(site: at, width: width, l0: l0, isAffine: affine)
    if Suite.isSuite(url) { return (try Suite(contentsOf: url), selection) }
    guard !FileManager.default.fileExists(atPath: url.path) else { return nil }
    var folder = url
    var rest: [String] = []
    while folder.pathComponents.count > 1, !FileManager.default.fileExists(atPath: folder.path) {
      rest.insert(folder.lastPathComponent, at: 0)
      folder.deleteLastPathComponent()
    }
    guard !rest.isEmpty, Suite.isSuite(folder) else { return nil }
    selection.name = rest.joined(separator: "/")
    return (try Suite(contentsOf: folder), selection)
  }
}

/// `[NAME=]PATH`. An existing path that itself holds `=` is taken whole.
struct NamedPath: Equatable {
  let name: String?
  let path: String

  init(_ text: String) {
    guard let sign = text.firstIndex(of: "="), sign > text.startIndex, !text[..<sign].contains("/"),
      !FileManager.default.fileExists(atPath: text)
    else {
      name = nil
      path = text
      return
    }
    name = String(text[..<sign])
    path = String(text[text.index(after: sign)...])
  }
}
