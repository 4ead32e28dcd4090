import Checkpoints
import Dictionaries
import Foundation
import GRDB
import Sites

/// Writes one source: a row of `Neuron` for each feature, of `Activation` for each example, of `Explanation` for each
/// label. What is in memory does not depend on how many there are.
final class NeuronpediaWriter {
  let atlas: Atlas
  let options: NeuronpediaOptions
  let modelID: String
  let source: NeuronpediaSource
  /// Holds decoder rows, where vectors are wanted.
  let vectors: SparseDictionary?
  /// When the atlas was finished, in ISO 8601.
  let created: String
  /// The files of the corpus, and how many tokens were counted.
  let corpus: String
  let tokens: Int?
  /// Tokens of which co-active features were counted.
  let coactiveTokens: Int?
  /// Authors and methods of labels.
  private(set) var authors: Set<NeuronpediaAuthor> = []
  /// Pieces as JSON, at most a vocabulary of them.
  private var pieces: [Int32: String] = [:]

  init(
    _ atlas: Atlas, _ source: NeuronpediaSource, options: NeuronpediaOptions, modelID: String,
    vectors: SparseDictionary?
  ) throws {
    self.atlas = atlas
    self.source = source
    self.options = options
    self.modelID = modelID
    self.vectors = vectors
    created = try atlas.meta("completed") ?? atlas.meta("created") ?? ""
    corpus = try atlas.corpusFiles().joined(separator: ", ")
    let dictionary = source.dictionary.id
    let counted = try atlas.read { db in
      try Int.fetchOne(db, sql: "SELECT tokens FROM dictionary WHERE id = ?", arguments: [dictionary])
    }
    tokens = counted
    coactiveTokens = try atlas.meta("coactive_tokens \(dictionary)").flatMap { Int($0) } ?? counted
  }

  /// - Throws: `AtlasError`, `CheckpointError`, what `check` throws.
  func write(to folder: URL, check: () throws -> Void) throws -> NeuronpediaExport.Source {
    let files = try NeuronpediaFiles(folder)
    try writeDescription(to: folder)
    let (features, activations) = (files.table("features"), files.table("activations"))
    let explanations = files.table("explanations")
    for index in 0..<source.width {
      try check()
      let layer = source.dictionary.reads.count > 1 ? source.site.layer : nil
      let key = FeatureKey(dictionary: source.dictionary.name, layer: layer, index: index)
      let feature = try atlas.feature(key)
      let batch = index / NeuronpediaFiles.batch
      try features.add(try row(feature), to: batch)
      try atlas.read { db in
        try eachExample(of: feature, db) { try activations.add($0, to: batch) }
      }
      for explanation in feature.explanations {
        let author = NeuronpediaAuthor(explanation)
        authors.insert(author)
        let line = try row(explanation, author, index: index)
        try explanations.add(line, to: explanations.rows / NeuronpediaFiles.batch)
      }
      guard explanations.rows <= NeuronpediaFiles.mostRows else {
        throw AtlasError.option(
          name: "dictionary", reason: "'\(source.dictionary.name)' has more labels than the import can list files of")
      }
    }
    for table in [features, activations, explanations] { try table.finish() }
    return NeuronpediaExport.Source(
      id: source.id, dictionary: source.dictionary.name, features: features.rows, activations: activations.rows,
      explanations: explanations.rows)
  }

  /// What names the source in a row of any table.
  func addPlace(_ row: inout JSONRow, index: Int) {
    row.add("modelId", modelID)
    row.add("layer", source.id)
    // A column of text in their tables.
    row.add("index", String(index))
  }

  func piece(_ id: Int32, _ db: Database) throws -> String {
    if let known = pieces[id] { return known }
    let piece = JSONText.quoted(try atlas.tokens([id], db)[0].piece)
    pieces[id] = piece
    return piece
  }
}

extension Atlas {
  /// The names of the files of the corpus.
  func corpusFiles() throws -> [String] {
    guard let text = try meta("corpus"), case .object(let corpus)? = try? JSONTree(Array(text.utf8)),
      case .array(let files)? = corpus["files"]
    else { return [] }
    return files.compactMap { if case .string(let name) = $0 { name } else { nil } }
  }
}
