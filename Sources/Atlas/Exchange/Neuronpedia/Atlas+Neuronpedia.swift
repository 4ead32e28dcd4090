import Checkpoints
public import Dictionaries
public import Foundation

extension Atlas {
  /// Writes dictionaries in the format of Neuronpedia's public data sets, which its import reads: `config/` and, for
  /// each source, `MODEL/SOURCE/` with `features`, `activations` and `explanations` (docs/atlas.md). The folder appears
  /// whole or not at all, and what is in memory does not grow with features.
  ///
  /// A dictionary of several layers is one source for each that it reads, as Neuronpedia has it.
  ///
  /// ```swift
  /// try atlas.writeNeuronpedia(to: URL(filePath: "neuronpedia"))
  /// ```
  /// - Parameters:
  ///   - names: which dictionaries; all where there are no names.
  ///   - folder: a new or empty folder; it corresponds to `v1/` of the data sets.
  ///   - vectors: gives the dictionary itself, whose decoder rows are then written as vectors to steer with; without it
  ///     there are none.
  /// - Returns: what was written.
  /// - Throws: `AtlasError.unfinished` for an atlas that is being built, `.dictionary`, `.option`, `.file`;
  ///   `CheckpointError` for a folder that cannot be written, and what `vectors` and `check` throw.
  @discardableResult
  public func writeNeuronpedia(
    of names: [String]? = nil, to folder: URL, options: NeuronpediaOptions = NeuronpediaOptions(),
    vectors: ((AtlasDictionary) throws -> SparseDictionary)? = nil, check: () throws -> Void = {}
  ) throws -> NeuronpediaExport {
    if case .building(let tokens, let planned) = state {
      throw AtlasError.unfinished(path: url.path, tokens: tokens, of: planned)
    }
    try options.validate()
    let modelID = try neuronpediaModel(options)
    let chosen = try dictionaries(names)
    let sources = try NeuronpediaSource.all(chosen, set: options.sourceSet)
    let opened = try vectors.map { open in try chosen.map { try verified($0, open, check) } }
    let place = try AtomicFolder(folder)
    var export = NeuronpediaExport(modelID: modelID, sources: [])
    var authors: Set<NeuronpediaAuthor> = []
    var created = ""
    for source in sources {
      let own = opened?.first { $0.name == source.dictionary.name }?.dictionary
      let writer = try NeuronpediaWriter(self, source, options: options, modelID: modelID, vectors: own)
      let target = place.temporary.appending(path: "\(modelID)/\(source.id)")
      export.sources.append(try writer.write(to: target, check: check))
      authors.formUnion(writer.authors)
      created = writer.created
    }
    try NeuronpediaConfiguration.write(
      authors, options, created: created, to: place.temporary.appending(path: "config"))
    try place.commit()
    return export
  }

  private func neuronpediaModel(_ options: NeuronpediaOptions) throws -> String {
    if let id = options.modelID { return id }
    let name = try meta("model_name") ?? ""
    let id = (name.split(separator: "/").last.map(String.init) ?? "").lowercased()
    guard NeuronpediaOptions.isName(id) else {
      throw AtlasError.option(
        name: "model-id", reason: "is missing, and the atlas's model name '\(name.clipped)' does not give one")
    }
    return id
  }

  /// The dictionary itself, which must be the one that the atlas was made of.
  private func verified(
    _ entry: AtlasDictionary, _ open: (AtlasDictionary) throws -> SparseDictionary, _ check: () throws -> Void
  ) throws -> (name: String, dictionary: SparseDictionary) {
    guard entry.writes.count == 1 else {
      throw AtlasError.option(
        name: "vectors",
        reason: "a feature of '\(entry.name)' writes \(entry.writes.count) sites and has no one vector; leave it out")
    }
    let dictionary = try open(entry)
    let hash = try WeightHash.sha256(of: dictionary.weightFiles) { _ in try check() }
    guard hash == entry.sha256 else {
      throw AtlasError.option(
        name: "vectors",
        reason: "\(dictionary.url.path) has other weights than '\(entry.name)' had when the atlas was made")
    }
    return (entry.name, dictionary)
  }
}
