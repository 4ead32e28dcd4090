import Checkpoints
import Foundation
import Sites

extension NeuronpediaWriter {
  /// Writes the one-line files that say what the source belongs to. The import hands these to Prisma, which refuses
  /// keys that the tables have not; columns that are not here have defaults there.
  func writeDescription(to folder: URL) throws {
    for (name, row) in [("release", release), ("model", model), ("sourceset", sourceSet), ("source", try sourceRow())] {
      try AtomicFile.write(Data(row.line.utf8), to: folder.appending(path: "\(name).jsonl"))
    }
  }

  private var release: JSONRow {
    var row = JSONRow()
    row.add("name", options.release)
    row.add("visibility", "PUBLIC")
    row.add("description", "Made by gscope")
    row.add("urls", [String]())
    row.add("creatorName", options.creatorName)
    row.add("creatorId", options.creatorID)
    row.add("createdAt", created)
    return row
  }

  private var model: JSONRow {
    var row = JSONRow()
    row.add("id", modelID)
    row.add("displayNameShort", modelID)
    row.add("displayName", modelID)
    row.add("creatorId", options.creatorID)
    row.add("visibility", "PUBLIC")
    row.add("inferenceEnabled", false)
    row.add("instruct", modelID.hasSuffix("-it"))
    row.add("layers", options.layers)
    row.add("neuronsPerLayer", options.neuronsPerLayer)
    row.add("owner", "Google")
    row.add("createdAt", created)
    row.add("updatedAt", created)
    return row
  }

  private var sourceSet: JSONRow {
    var row = JSONRow()
    row.add("modelId", modelID)
    row.add("name", source.set)
    row.add("hasDashboards", true)
    row.add("allowInferenceSearch", false)
    row.add("visibility", "PUBLIC")
    row.add("description", "\(source.dictionary.kind), \(source.width) features a layer")
    row.add("type", source.dictionary.kind)
    row.add("creatorName", options.creatorName)
    row.add("urls", [String]())
    row.add("creatorId", options.creatorID)
    row.add("releaseName", options.release)
    row.add("showDfa", source.site.kind == .attnOut)
    row.add("createdAt", created)
    return row
  }

  private func sourceRow() throws -> JSONRow {
    var row = JSONRow()
    row.add("id", source.id)
    row.add("modelId", modelID)
    row.add("hasDashboards", true)
    row.add("inferenceEnabled", false)
    row.add("visibility", "PUBLIC")
    row.add("setName", source.set)
    row.add("creatorId", options.creatorID)
    for (key, name) in [("num_prompts", "sequences"), ("num_tokens_in_prompt", "context")] {
      row.add(key, try atlas.meta(name).flatMap { Int($0) })
    }
    row.add("dataset", corpus.isEmpty ? nil : corpus)
    row.add("notes", "\(source.dictionary.name), reads \(source.site), weights \(source.dictionary.sha256)")
    row.add("createdAt", created)
    return row
  }
}
