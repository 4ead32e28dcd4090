import Atlas
import Dictionaries
import Evaluation
import Gemma
import Sites
import Tensors

/// What several dictionaries make of one text, from one pass of the model.
struct FeatureReading {
  struct Part {
    let code: DictionaryCode
    let metrics: ReconstructionMetrics
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
    let layers = Double((sites.max()?.layer ?? 0) + 1)
    let share = layers / (layers + Double(dictionaries.count))
    var collectors = dictionaries.map { Collector($0, keepsOutputs: keepsOutputs) }
    try TextPass(ids: text.ids, opened: opened, progress: progress, share: share).run(capture: sites) { result, range in
      let counted = range.filter { !opened.isSpecial(text.ids[$0]) }.map { $0 - range.lowerBound }
      for i in collectors.indices {
        try collectors[i].add(result, counted: counted, opened: opened)
        try progress.advance(by: (1 - share) * Double(range.count) / Double(dictionaries.count))
      }
    }
    parts = try collectors.map { try $0.part(backend: opened.backend) }
  }

  /// What one dictionary makes of the text, pass by pass.
  private struct Collector {
    let dictionary: SparseDictionary
    let keepsOutputs: Bool
    private var codes: [DictionaryCode] = []
    private var measurement: ReconstructionMeasurement
    /// For each write the reconstruction of every pass.
    private var outputs: [[Tensor]]

    init(_ dictionary: SparseDictionary, keepsOutputs: Bool) {
      self.dictionary = dictionary
      self.keepsOutputs = keepsOutputs
      measurement = ReconstructionMeasurement(dictionary.shape)
      outputs = dictionary.shape.writes.map { _ in [] }
    }

    mutating func add(_ result: ForwardResult, counted: [Int], opened: OpenedModel) throws {
      let inputs = try result.activations(at: dictionary.shape.reads, of: opened)
      let (code, written) = try dictionary.reconstruct(inputs)
      let targets = try result.activations(at: dictionary.shape.writes, of: opened)
      try measurement.add(code, targets: targets, outputs: written, rows: counted)
      codes.append(code)
      if keepsOutputs { for (write, tensor) in written.enumerated() { outputs[write].append(tensor) } }
    }

    func part(backend: any Backend) throws -> Part {
      Part(
        code: try DictionaryCode.joined(codes), metrics: measurement.metrics,
        outputs: keepsOutputs ? try outputs.map { $0.count == 1 ? $0[0] : try backend.concatenate($0) } : [])
    }
  }
}

extension DictionaryCode {
  /// The tokens of all `parts`, one after another.
  /// - Throws: `DictionaryError.input` when there is no part.
  static func joined(_ parts: [DictionaryCode]) throws -> DictionaryCode {
    if parts.count == 1 { return parts[0] }
    let reads = parts.first?.layers.indices ?? 0..<0
    return try DictionaryCode(
      reads.map { read in
        var (offsets, features, activations) = ([0], [Int32](), [Float]())
        for code in parts.map({ $0.layers[read] }) {
          offsets += code.rowOffsets.dropFirst().map { $0 + features.count }
          features += code.features
          activations += code.activations
        }
        return try SparseCode(rowOffsets: offsets, features: features, activations: activations)
      })
  }
}

extension FeatureReading {
  /// - Parameter cards: what was measured when each dictionary was made, where that is known.
  func json(
    _ dictionaries: [SparseDictionary], cards: [OpenedDictionary.Card?], _ labels: FeatureLabels,
    _ opened: OpenedModel, topK: Int
  ) throws -> JSONValue {
    let facts = zip(zip(dictionaries, cards), parts).map { item, part -> JSONValue in
      let (dictionary, card) = item
      let shape = dictionary.shape
      return [
        "name": .string(dictionary.name), "kind": .string(shape.kind.rawValue),
        "site": .string(Self.sites(shape.reads)), "writes": .string(Self.sites(shape.writes)),
        "width": .integer(shape.totalWidth), "l0": .optional(part.metrics.l0.value),
        "fvu_prompt": .optional(part.metrics.total.fvu.value),
        "fvu_by_layer": .array(part.metrics.sites.map { .optional($0.figures.fvu.value) }),
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
          "features": .array(try features.map { Self.json($0, shape, label: try labels.label(i, $0)) }),
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

  private static func json(
    _ feature: DictionaryCode.Active, _ shape: DictionaryShape, label: AtlasExplanation?
  ) -> JSONValue {
    var members: [(key: String, value: JSONValue)] = [("index", .integer(feature.feature))]
    if shape.isMultiLayer { members.append(("layer", .integer(shape.reads[feature.read].layer))) }
    members += [("activation", .float(feature.activation)), ("label", .optional(label?.text))]
    if let label {
      members += [
        ("label_score", .optional(label.score)),
        ("label_untested", .optional(label.untested.map(LabelWording.name))),
      ]
    }
    return .object(members)
  }

  static func sites(_ sites: [Site]) -> String { sites.map(\.description).joined(separator: ",") }

  func show(
    _ dictionaries: [SparseDictionary], cards: [OpenedDictionary.Card?], _ labels: FeatureLabels,
    _ opened: OpenedModel, topK: Int
  ) throws {
    let writer = TokenWriter(tokenizer: opened.tokenizer.value)
    for (i, ((dictionary, card), part)) in zip(zip(dictionaries, cards), parts).enumerated() {
      var labelled: [(name: String, label: AtlasExplanation)] = []
      var seen: Set<String> = []
      let metrics = part.metrics
      let made = card.map {
        "; when it was made: L0 \(Format.decimal($0.l0, 1)), FVU \(Format.percent($0.fvu)) (\($0.source))"
      }
      try StandardOutput.line(
        "\(TextStyle.bold.apply(dictionary.name)): \(dictionary.shape)\n"
          + "L0 \(Format.decimal(metrics.l0.value, 1)), FVU \(Format.percent(metrics.total.fvu.value)) "
          + "over \(Format.count(metrics.tokens, "token"))\(made ?? "")"
      )
      var table = TextTable([.init("#", .right), .init("token"), .init("on", .right), .init("strongest features")])
      for position in text.ids.indices {
        let features = part.code.active(inRow: position, limit: topK == 0 ? nil : topK)
        let names = try features.map { feature in
          let layer = dictionary.shape.isMultiLayer ? "\(dictionary.shape.reads[feature.read].layer)/" : ""
          let name = "\(layer)\(feature.feature)"
          if !opened.isSpecial(text.ids[position]), seen.insert(name).inserted,
            let label = try labels.label(i, feature)
          {
            labelled.append((name, label))
          }
          return "\(name):\(Format.short(Double(feature.activation)))"
        }
        let isSpecial = opened.isSpecial(text.ids[position])
        table.add([
          .init("\(position)", .dim), .init(writer.visible(text.ids[position]), isSpecial ? .dim : .accent),
          .init("\(part.code.activeCount(inRow: position))"),
          .init(names.joined(separator: "  "), isSpecial ? .dim : .plain),
        ])
      }
      try table.write()
      guard !labelled.isEmpty else { continue }
      var list = TextTable([.init("feature", .right), .init("score", .right), .init("label")])
      for (name, label) in labelled {
        let text = LabelWording.text(label.text, untested: label.untested)
        list.add([.init(name), .init(Format.decimal(label.score, 2)), .init(text, .good)])
      }
      try list.write()
    }
  }
}
