import Checkpoints
public import Foundation
import Sites
public import Tensors

extension Suite {
  /// Writes every dictionary of the suite in `format`, each at its path below `folder`; Gemma Scope 2's layout and the
  /// compact form with the suite's own `suite.json`. For circuit-tracer, which wants a transcoder for every layer in
  /// one folder, the transcoders become one set. All or nothing.
  /// - Parameters:
  ///   - folder: new or empty.
  ///   - topK: as `DictionaryParameters.write(as:to:training:topK:)`.
  ///   - progress: called with each entry before it is read; what it throws ends the work.
  /// - Returns: the entries written.
  /// - Throws: `ConversionError`, `DictionaryError`, `CheckpointError`.
  @discardableResult
  public func convert(
    to format: DictionaryFormat, in folder: URL, topK: Int? = nil, backend: any Backend,
    progress: (Entry) throws -> Void = { _ in }
  ) throws -> [Entry] {
    guard AtomicFolder.isFree(folder) else { throw ConversionError.occupied(path: folder.path) }
    let whole = try AtomicFolder(folder)
    let chosen = format == .circuitTracer ? try transcoderSet() : entries
    for entry in chosen {
      try progress(entry)
      let source = url(of: entry)
      let parameters = try DictionaryParameters(
        SparseDictionary(contentsOf: source, name: entry.name, backend: backend))
      guard format != .circuitTracer else {
        try write(parameters, ofSet: whole.temporary)
        continue
      }
      try parameters.write(
        as: format, to: whole.temporary.appending(path: entry.path), training: Self.training(of: source), topK: topK)
    }
    if format == .gemmaScope2 || format == .compact {
      try AtomicFile.write(
        Data(contentsOf: self.folder.appending(path: "suite.json")), to: whole.temporary.appending(path: "suite.json"))
    }
    try whole.commit()
    return chosen
  }

  /// The text of `training.json` beside a dictionary; nil when there is none.
  /// - Throws: `CheckpointError.unreadable`.
  public static func training(of dictionary: URL) throws -> String? {
    let file = dictionary.appending(path: "training.json")
    guard FileManager.default.fileExists(atPath: file.path) else { return nil }
    do {
      return try String(contentsOf: file, encoding: .utf8)
    } catch {
      throw CheckpointError.unreadable(file: file.path, reason: "is not UTF-8 text that can be read")
    }
  }

  /// One transcoder for each layer from 0, in order.
  private func transcoderSet() throws -> [Entry] {
    func layer(_ entry: Entry) -> Int { entry.sites.first?.layer ?? -1 }
    let transcoders = entries.filter { $0.kind == .transcoder }.sorted { layer($0) < layer($1) }
    let layers = transcoders.map(layer)
    guard !layers.isEmpty, layers == Array(layers.indices) else {
      throw ConversionError.cannotHold(
        layout: .circuitTracer,
        reason: "a set has one transcoder for each layer from 0; the suite has them for layers \(layers)")
    }
    return transcoders
  }

  private func write(_ parameters: DictionaryParameters, ofSet folder: URL) throws {
    var files = try parameters.circuitTracerFiles()
    // One configuration for all of them, which are of one model.
    if FileManager.default.fileExists(atPath: folder.appending(path: "config.yaml").path) { files.texts = [] }
    try files.write(to: folder, replacing: false)
  }
}
