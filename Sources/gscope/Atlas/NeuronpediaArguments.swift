import ArgumentParser
import Atlas
import Dictionaries
import Foundation
import Tensors
import Training

/// What `--to neuronpedia` takes besides.
struct NeuronpediaArguments: ParsableArguments {
  @Option(help: ArgumentHelp("The model there; from the atlas without it, gemma-3-270m.", valueName: "id"))
  var modelId: String?

  @Option(
    help: ArgumentHelp("The source set of all dictionaries; gscope-res-2k and the like without it.", valueName: "name"))
  var sourceSet: String?

  @Option(help: ArgumentHelp("The user who is to own it; the one of every installation without it.", valueName: "id"))
  var creatorId: String?

  @Option(help: ArgumentHelp("Who is shown to have made it; gscope without it.", valueName: "name"))
  var creatorName: String?

  @Option(help: ArgumentHelp("The release it belongs to; gscope without it.", valueName: "name"))
  var release: String?

  @Flag(help: "Write decoder rows as vectors to steer with; opens the dictionaries from where they were.")
  var vectors = false

  /// One of the flags that was used.
  var given: String? {
    [
      ("--model-id", modelId != nil), ("--source-set", sourceSet != nil), ("--creator-id", creatorId != nil),
      ("--creator-name", creatorName != nil), ("--release", release != nil), ("--vectors", vectors),
    ].first { $0.1 }?.0
  }

  /// Writes and tells what.
  func write(_ atlas: Atlas, _ names: [String]?, to folder: URL, json: Bool) throws {
    var options = NeuronpediaOptions()
    options.modelID = modelId
    options.sourceSet = sourceSet
    if let creatorId { options.creatorID = creatorId }
    if let creatorName { options.creatorName = creatorName }
    if let release { options.release = release }
    if let model = try Self.planned(modelId ?? atlas.meta("model_name") ?? "") {
      (options.layers, options.neuronsPerLayer) = (model.layers, model.feedForward)
    }
    let opening: ((AtlasDictionary) throws -> SparseDictionary)? = vectors ? { try Self.opened($0) } : nil
    let export = try atlas.writeNeuronpedia(
      of: names, to: folder, options: options, vectors: opening, check: Interruption.check)
    if json {
      let sources = export.sources.map { source -> JSONValue in
        [
          "name": .string(source.dictionary), "source": .string(source.id), "features": .integer(source.features),
          "examples": .integer(source.activations), "labels": .integer(source.explanations),
        ]
      }
      let members: [(key: String, value: JSONValue)] = [
        ("model_id", .string(export.modelID)), ("dictionaries", .array(sources)),
      ]
      return try AtlasFileReport(url: folder, kind: "neuronpedia", members: members).write()
    }
    for source in export.sources {
      try StandardOutput.line(
        "\(folder.relativePath)/\(export.modelID)/\(source.id)  \(source.dictionary): "
          + "\(Format.count(source.features, "feature")), \(Format.count(source.activations, "example")), "
          + Format.count(source.explanations, "label"))
    }
  }

  /// The published size of Gemma 3 that a name tells of.
  private static func planned(_ name: String) -> PlannedModel? {
    let parts = name.lowercased().split { $0 == "/" || $0 == "-" }
    guard parts.contains("gemma"), parts.contains("3") else { return nil }
    return PlannedModel.sizes.first { parts.contains(Substring($0.name)) }
  }

  /// A dictionary from where it was when the atlas was made.
  private static func opened(_ entry: AtlasDictionary) throws -> SparseDictionary {
    guard let path = entry.path, FileManager.default.fileExists(atPath: path) else {
      throw CommandError.usage(
        "--vectors: '\(entry.name)' is not at \(entry.path ?? "any known place"), where it was when the atlas was made")
    }
    return try SparseDictionary(
      contentsOf: URL(filePath: path), name: entry.name, site: entry.reads.count == 1 ? entry.reads[0] : nil,
      backend: NativeBackend(threads: 1))
  }
}
