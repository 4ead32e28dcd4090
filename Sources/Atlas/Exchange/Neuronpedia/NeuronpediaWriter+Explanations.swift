import Foundation

/// Who made a label and how, as Neuronpedia keeps it: a type and a model of explanations, each a row of its own.
struct NeuronpediaAuthor: Hashable {
  /// Nil for people and for rules.
  let model: String?
  /// Nil for people.
  let type: String?
  let method: String

  init(_ explanation: AtlasExplanation) {
    let isPerson = explanation.author == "person"
    model = isPerson || explanation.author == LexicalExplainer.name ? nil : explanation.author
    type = isPerson ? nil : "gscope_" + NeuronpediaSource.slug(explanation.method)
    method = explanation.method
  }
}

extension NeuronpediaWriter {
  /// A row of `Explanation`.
  func row(_ explanation: AtlasExplanation, _ author: NeuronpediaAuthor, index: Int) throws -> String {
    var row = JSONRow()
    row.add(
      "id",
      NeuronpediaID.make(
        [modelID, source.id, "\(index)", "explanation", explanation.author, explanation.method]))
    addPlace(&row, index: index)
    row.add("description", explanation.text)
    row.add("authorId", options.creatorID)
    row.add("typeName", author.type)
    row.add("explanationModelName", author.model)
    row.add("notes", Self.notes(explanation))
    // Labels of a feature are shown in its order; 0 is what the column has where nothing is known.
    try row.add("scoreV1", explanation.detection ?? 0)
    row.add("createdAt", explanation.created)
    return row.line
  }

  /// The scores in words: rows of `ExplanationScore` have no file that the import reads.
  private static func notes(_ explanation: AtlasExplanation) -> String? {
    let scores = explanation.scores.map { score in
      if let reason = score.undefined { return "\(score.test.rawValue) by \(score.judge): none, \(reason.rawValue)" }
      func figure(_ number: Double?) -> String { number.map { "\(($0 * 1000).rounded() / 1000)" } ?? "none" }
      let hard = score.hardAccuracy.map { ", hard \(figure($0))" } ?? ""
      return "\(score.test.rawValue) by \(score.judge): balanced accuracy \(figure(score.balancedAccuracy))\(hard)"
    }
    return scores.isEmpty ? nil : scores.joined(separator: "; ")
  }
}
