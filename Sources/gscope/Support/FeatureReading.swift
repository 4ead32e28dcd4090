import Dictionaries
import Gemma
import Sites
import Tensors

/// What several dictionaries make of one text, from one pass of the model.
struct FeatureReading {
  struct Part {
    let code: DictionaryCode
    let statistics: DictionaryStatistics
    /// Reconstructions of every write, where they were asked for.
    let outputs: [Tensor]
  }

  let text: TokenizedText
  /// One for each dictionary.
  let parts: [Part]

  init(
    _ text: TokenizedText, dictionaries: [SparseDictionary], opened: OpenedModel, keepsOutputs: Bool, progress: Progress
  ) throws {
    self.text = text
    let sites = Set(dictionaries.flatMap { $0.shape.reads + $0.shape.writes })
    let steps = Double((sites.max()?.layer ?? 0) + 1 + dictionaries.count)
    let result = try opened.model.forward([text.ids], capture: sites, logits: .none) {
      try progress.advance(by: Double(text.count) / steps)
    }
    func activations(_ sites: [Site]) throws -> [Tensor] {
      try sites.map { site in
        guard let tensor = result.activations[site] else {
          throw SiteError.layer(site: site, layers: opened.configuration.layers)
        }
        return tensor
      }
    }
    let counted = text.ids.indices.filter { !opened.isSpecial(text.ids[$0]) }
    parts = try dictionaries.map { dictionary in
      let inputs = try activations(dictionary.shape.reads)
      let (code, outputs) = try dictionary.reconstruct(inputs)
      let statistics = try DictionaryStatistics.measure(
        dictionary.shape, code: code, targets: try activations(dictionary.shape.writes), outputs: outputs, rows: counted
      )
      try progress.advance(by: Double(text.count) / steps)
      return Part(code: code, statistics: statistics, outputs: keepsOutputs ? outputs : [])
    }
  }
}

extension FeatureReading {
  /// - Parameter cards: what was measured when each dictionary was made, where that is known.
  func json(
    _ dictionaries: [SparseDictionary], cards: [OpenedDictionary.Card?], _ opened: OpenedModel, topK: Int
  ) -> JSONValue {
    let facts = zip(zip(dictionaries, cards), parts).map { item, part -> JSONValue in
      let (dictionary, card) = item
      let shape = dictionary.shape
      return [
        "name": .string(dictionary.name), "kind": .string(shape.kind.rawValue),
        "site": .string(Self.sites(shape.reads)), "writes": .string(Self.sites(shape.writes)),
        "width": .integer(shape.totalWidth), "l0": .optional(part.statistics.l0),
        "fvu_prompt": .optional(part.statistics.fvu),
        "fvu_by_layer": .array(part.statistics.fvuByWrite.map { .optional($0) }),
        "card": card.map {
          ["source": .string($0.source), "l0": .optional($0.l0), "fvu": .optional($0.fvu)]
        } ?? nil,
      ]
    }
    var active: [JSONValue] = []
    for (i, part) in parts.enumerated() {
      let shape = dictionaries[i].shape
      for position in text.ids.indices {
        let features = part.code.active(inRow: position, limit: topK == 0 ? nil : topK)
        active.append([
          "dictionary": .integer(i), "position": .integer(position),
          "features": .array(features.map { Self.json($0, shape) }),
        ])
      }
    }
    return .document(
      id: text.id,
      [
        ("tokens", TokenWriter(tokenizer: opened.tokenizer.value).json(text)), ("dictionaries", .array(facts)),
        ("active", .array(active)),
      ])
  }

  private static func json(_ feature: DictionaryCode.Active, _ shape: DictionaryShape) -> JSONValue {
    var members: [(key: String, value: JSONValue)] = [("index", .integer(feature.feature))]
    if shape.isMultiLayer { members.append(("layer", .integer(shape.reads[feature.read].layer))) }
    return .object(members + [("activation", .float(feature.activation)), ("label", nil)])
  }

  static func sites(_ sites: [Site]) -> String { sites.map(\.description).joined(separator: ",") }

  func show(
    _ dictionaries: [SparseDictionary], cards: [OpenedDictionary.Card?], _ opened: OpenedModel, topK: Int
  ) throws {
    let writer = TokenWriter(tokenizer: opened.tokenizer.value)
    for ((dictionary, card), part) in zip(zip(dictionaries, cards), parts) {
      let statistics = part.statistics
      let made = card.map {
        "; when it was made: L0 \(Format.decimal($0.l0, 1)), FVU \(Format.percent($0.fvu)) (\($0.source))"
      }
      try StandardOutput.line(
        "\(TextStyle.bold.apply(dictionary.name)): \(dictionary.shape)\n"
          + "L0 \(Format.decimal(statistics.l0, 1)), FVU \(Format.percent(statistics.fvu)) "
          + "over \(Format.count(statistics.tokens, "token"))\(made ?? "")"
      )
      var table = TextTable([.init("#", .right), .init("token"), .init("on", .right), .init("strongest features")])
      for position in text.ids.indices {
        let features = part.code.active(inRow: position, limit: topK == 0 ? nil : topK).map { feature in
          let layer = dictionary.shape.isMultiLayer ? "\(dictionary.shape.reads[feature.read].layer)/" : ""
          return "\(layer)\(feature.feature):\(Format.short(Double(feature.activation)))"
        }
        let isSpecial = opened.isSpecial(text.ids[position])
        table.add([
          .init("\(position)", .dim), .init(writer.visible(text.ids[position]), isSpecial ? .dim : .accent),
          .init("\(part.code.activeCount(inRow: position))"),
          .init(features.joined(separator: "  "), isSpecial ? .dim : .plain),
        ])
      }
      try table.write()
    }
  }
}
