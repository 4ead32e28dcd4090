import Checkpoints
import Dictionaries
import Foundation
import Sites
import Training

/// What a training session made, for people and for `suite.json`.
struct TrainingReport {
  let trained: [TrainedDictionary]
  let folder: URL

  func show(json: Bool) throws {
    if json {
      let list = trained.map { trained -> JSONValue in
        .object(
          [("name", .string(trained.item.name)), ("path", .string(trained.item.folder.path))] + [
            ("card", trained.card.json)
          ])
      }
      return try StandardOutput.line(.document([("output", .string(folder.path)), ("dictionaries", .array(list))]))
    }
    var table = TextTable([
      .init("dictionary"), .init("L0", .right), .init("FVU", .right), .init("delta loss", .right),
      .init("mean-ablated", .right), .init("zero-ablated", .right), .init("dead", .right),
    ])
    for dictionary in trained {
      let card = dictionary.card
      func delta(_ loss: Double?) -> String {
        guard let loss, let clean = card.loss else { return "-" }
        return Format.signed(loss - clean, 4)
      }
      table.add([
        .init(dictionary.item.name, .accent), .init(Format.decimal(card.l0, 1)),
        .init(Format.percent(card.fvu)), .init(delta(card.splicedLoss)), .init(delta(card.meanAblatedLoss)),
        .init(delta(card.zeroAblatedLoss)), .init(Format.percent(card.dead)),
      ])
    }
    try table.write()
    try StandardOutput.line("written to \(folder.path)")
  }

  /// `suite.json`.
  func suiteText(modelName: String, modelSHA256: String) -> String {
    let entries = trained.map { trained -> String in
      let (shape, recipe) = (trained.shape, trained.item.recipe)
      let sites = shape.reads + (shape.writes == shape.reads ? [] : shape.writes)
      var card = trained.card.members
      if let fvu = trained.plainFVU { card.append(("fvu_fp32", .double(fvu))) }
      return JSONValue.object([
        ("name", .string(trained.item.name)), ("path", .string(trained.item.name)),
        ("kind", .string(shape.kind.rawValue)), ("sites", .array(sites.map { .string("\($0)") })),
        ("width", .integer(shape.totalWidth)), ("l0", .double(recipe.l0)), ("affine", .bool(shape.isAffine)),
        ("card", .object(card)),
      ]).text
    }
    let model: JSONValue = ["name": .string(modelName), "sha256": .string(modelSHA256)]
    return "{\"schema\":1,\"model\":\(model.text),\"dictionaries\":[\n\(entries.joined(separator: ",\n"))\n]}\n"
  }
}
