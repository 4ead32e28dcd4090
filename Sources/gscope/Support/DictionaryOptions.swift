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

  /// Opens them all and checks that they fit `model`. Other weights than they were made on give a warning.
  func open(for model: OpenedModel) throws -> [OpenedDictionary] {
    var weights = SuiteWeights(model)
    return try dictionary.map { text in
      try checked(open(NamedPath(text), backend: model.backend, weights: &weights), model)
    }
  }

  /// The same, but the folder of a suite stands for all its dictionaries that match `--width`, `--l0`, `--affine` and
  /// `--at`.
  func openAll(for model: OpenedModel) throws -> [OpenedDictionary] {
    var weights = SuiteWeights(model)
    let opened = try dictionary.flatMap { text -> [OpenedDictionary] in
      let named = NamedPath(text)
      let url = URL(filePath: named.path)
      guard Suite.isSuite(url) else {
        return [try checked(open(named, backend: model.backend, weights: &weights), model)]
      }
      let suite = try Suite(contentsOf: url)
      let selection = Suite.Selection(site: at, width: width, l0: l0, isAffine: affine)
      let entries = suite.entries(matching: selection)
      guard !entries.isEmpty else { return [try checked(open(named, backend: model.backend, weights: &weights), model)] }
      if let name = named.name, entries.count > 1 {
        throw CommandError.usage("--dictionary '\(text)': '\(name)' cannot name \(entries.count) dictionaries of a suite")
      }
      if let warning = try weights.warning(suite) { Self.warn(warning) }
      return try entries.map { entry in
        let dictionary = try SparseDictionary(
          contentsOf: suite.url(of: entry), name: named.name, entry: entry, backend: model.backend)
        return try checked(OpenedDictionary(dictionary: dictionary, entry: entry), model)
      }
    }
    var names: Set<String> = []
    for name in opened.map(\.dictionary.name) where !names.insert(name).inserted {
      throw CommandError.usage("--dictionary: two dictionaries are called '\(name)'; NAME=PATH gives one another name")
    }
    return opened
  }

  /// `opened`, if it fits `model`.
  private func checked(_ opened: OpenedDictionary, _ model: OpenedModel) throws -> OpenedDictionary {
    try opened.dictionary.fits(model.model.shape, modelName: model.name)
    if let warning = opened.dictionary.weightsWarning(model: OpenedModel.publishedName(model.url)) {
      Self.warn(warning)
    }
    return opened
  }

  private static func warn(_ text: String) {
    Diagnostics.log.warning("\(text); its published figures may not hold here")
  }

  private func open(
    _ named: NamedPath, backend: any Backend, weights: inout SuiteWeights
  ) throws -> OpenedDictionary {
    let url = URL(filePath: named.path)
    guard let (suite, entry) = try entry(at: url) else {
      let dictionary = try SparseDictionary(contentsOf: url, name: named.name, site: at, backend: backend)
      return OpenedDictionary(dictionary: dictionary, entry: nil)
    }
    let dictionary = try SparseDictionary(
      contentsOf: suite.url(of: entry), name: named.name, entry: entry, backend: backend)
    if let warning = try weights.warning(suite) { Self.warn(warning) }
    return OpenedDictionary(dictionary: dictionary, entry: entry)
  }

  /// The suite's entry that `url` stands for, if it does: chosen from a suite's folder, called by its name below that
  /// folder, or the entry's own folder or file. A site given for the latter is not the suite's business.
  private func entry(at url: URL) throws -> (Suite, Suite.Entry)? {
    if let (suite, selection) = try suite(at: url) { return (suite, try suite.entry(selection)) }
    guard at == nil, let folder = Suite.folders(above: url).first else { return nil }
    let suite = try Suite(contentsOf: folder)
    let rest = url.absoluteURL.standardizedFileURL.pathComponents.dropFirst(folder.pathComponents.count)
    return suite.entries.first { $0.path == rest.joined(separator: "/") }.map { (suite, $0) }
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

/// `[NAME=]PATH`. What is a path as it stands is taken whole; a name may hold `/`, as those of a suite do, where its path exists.
struct NamedPath: Equatable {
  let name: String?
  let path: String

  init(_ text: String) {
    let parts = Self.parts(text)
    name = parts?.name
    path = parts?.path ?? text
  }

  private static func parts(_ text: String) -> (name: String, path: String)? {
    let files = FileManager.default
    guard let sign = text.firstIndex(of: "="), sign > text.startIndex, !files.fileExists(atPath: text) else { return nil }
    let (name, path) = (String(text[..<sign]), String(text[text.index(after: sign)...]))
    return !name.contains("/") || files.fileExists(atPath: path) ? (name, path) : nil
  }
}
