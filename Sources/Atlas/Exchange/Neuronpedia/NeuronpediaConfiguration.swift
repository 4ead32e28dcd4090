import Checkpoints
import Foundation

/// The files of `config`, rows that others refer to by name. The import reads all five, whatever they hold.
enum NeuronpediaConfiguration {
  static func write(
    _ authors: Set<NeuronpediaAuthor>, _ options: NeuronpediaOptions, created: String, to folder: URL
  ) throws {
    try NeuronpediaFiles.make(folder)
    let types = Dictionary(authors.compactMap { author in author.type.map { ($0, author.method) } }) { first, _ in first
    }
    let typeRows = types.sorted { $0.key < $1.key }.map { name, method in
      row(name, "gscope \(method)", "Made by gscope explain, method \(method)", options, created, isOwned: true)
    }
    let modelRows = Set(authors.compactMap(\.model)).sorted().map { name in
      row(name, name, "Asked by gscope explain", options, created, isOwned: false)
    }
    for (name, rows) in [
      ("explanation_type", typeRows), ("explanation_model_type", modelRows), ("explanation_score_type", []),
      ("explanation_score_model", []), ("eval_type", []),
    ] {
      try AtomicFile.write(Data(rows.joined().utf8), to: folder.appending(path: "\(name).jsonl"))
    }
  }

  private static func row(
    _ name: String, _ displayName: String, _ description: String, _ options: NeuronpediaOptions, _ created: String,
    isOwned: Bool
  ) -> String {
    var row = JSONRow()
    row.add("name", name)
    row.add("displayName", displayName)
    row.add("description", description)
    row.add("featured", false)
    row.add("creatorName", options.creatorName)
    if isOwned { row.add("creatorId", options.creatorID) }
    row.add("createdAt", created)
    row.add("updatedAt", created)
    return row.line
  }
}
