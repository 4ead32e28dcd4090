public import Dictionaries
public import Foundation
import GRDB
public import Gemma
public import Tokenization

extension PackedAtlas {
  /// Writes the atlas. What follows from the weights (neighbours, directions, the numbers of logit tables, effects) is
  /// computed again.
  /// - Parameters:
  ///   - dictionaries: those it is about, by their names; others are passed over.
  ///   - report: told how far it is.
  /// - Throws: `AtlasError.file` for another model or other dictionaries than it was made with, and a file that is
  ///   there already; what `check` throws. Nothing is left of an atlas that was not finished.
  public func expand(
    to url: URL, dictionaries opened: [SparseDictionary], model: GemmaModel, _ identity: AtlasModel,
    tokenizer: GemmaTokenizer, report: (BuildProgress) throws -> Void = { _ in },
    check: @escaping CancellationCheck = {}
  ) throws {
    let dictionaries = try matched(opened, model, identity, tokenizer, check)
    var first = 0
    let firstFeatures = contents.dictionaries.map { dictionary in
      defer { first += dictionary.features }
      return first
    }
    let expansion = PackedExpansion(
      contents: contents, dictionaries: dictionaries, firstFeatures: firstFeatures, model: model,
      tokenizer: tokenizer, check: check)
    try AtlasFiles(url).write { try expansion.write($0, report) }
  }
}

/// The expansion of a packed atlas into a database.
struct PackedExpansion {
  let contents: PackedContents
  let dictionaries: [SparseDictionary]
  let firstFeatures: [Int]
  let model: GemmaModel
  let tokenizer: GemmaTokenizer
  let check: CancellationCheck

  private var total: Int { contents.features.count }

  func write(_ db: Database, _ report: (BuildProgress) throws -> Void) throws {
    try describe(db)
    let sequences = Dictionary(contents.sequences.map { ($0.number, $0.tokens) }) { first, _ in first }
    let writer = try FeatureWriter(
      db, seed: contents.meta.first { $0[0] == "seed" }.flatMap { UInt64($0[1]) } ?? 0, tokenizer: tokenizer
    ) { SequenceStore.Sequence(tokens: sequences[$0] ?? [], scales: []) }
    let effects = try ExampleEffects(model)
    for index in dictionaries.indices {
      try report(BuildProgress(stage: .features, done: firstFeatures[index], total: total))
      try writeFeatures(index, writer, effects, db)
    }
    try writePool(writer)
    try writeNeighbours(db, report)
    try writeLabels(db)
    try report(BuildProgress(stage: .file, done: 0, total: 1))
    try SearchText.fill(db, check: check)
    try db.execute(sql: Schema.indexes)
    try db.execute(sql: "ANALYZE")
    try report(BuildProgress(stage: .file, done: 1, total: 1))
  }

  private func describe(_ db: Database) throws {
    for pair in contents.meta { try AtlasBuilder.set(pair[0], pair[1], db) }
    for (key, value) in [
      ("schema", "\(Schema.version)"), ("state", "complete"), ("packed", "\(PackedContainer.version)"),
      ("packed_rounding", PackedNumber.declaration),
    ] { try AtlasBuilder.set(key, value, db) }
    for (index, item) in contents.dictionaries.enumerated() {
      try db.execute(
        sql: """
          INSERT INTO dictionary(id, name, path, kind, reads, writes, width, d_in, d_out, weights_sha256, statistics,
            tokens, l0, card, prefixes, first_feature, features)
          VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'measured', ?, ?, ?, ?, ?, ?)
          """,
        arguments: [
          index, item.name, dictionaries[index].url.relativePath, item.kind, item.reads, item.writes, item.width,
          item.inputWidth, item.outputWidth, item.sha256, contents.number("tokens"), item.l0, item.card, item.prefixes,
          firstFeatures[index], item.features,
        ])
    }
  }

  private func writePool(_ writer: FeatureWriter) throws {
    let length = (contents.number("window_before") ?? 0) + 1 + (contents.number("window_after") ?? 0)
    for (place, window) in contents.pool.enumerated() {
      try check()
      let active = contents.dictionaries.enumerated().map { index, dictionary in
        var bits = [UInt8](repeating: 0, count: (dictionary.features + 7) / 8)
        for feature in 0..<dictionary.features {
          let own = contents.poolBits[firstFeatures[index] + feature]
          if own[place / 8] & (1 << UInt8(place % 8)) != 0 { bits[feature / 8] |= 1 << UInt8(feature % 8) }
        }
        return Data(bits)
      }
      try writer.write(
        poolWindow: place, sequence: contents.sequences[window.sequence].number, start: window.start, length: length,
        active: active)
    }
  }

  private func writeNeighbours(_ db: Database, _ report: (BuildProgress) throws -> Void) throws {
    let neighbours = FeatureNeighbours(
      dictionaries: dictionaries, firstFeatures: firstFeatures, model: model, check: check)
    let directions = try neighbours.residualDirections()
    for (index, dictionary) in contents.dictionaries.enumerated() {
      let first = firstFeatures[index]
      try report(BuildProgress(stage: .neighbours, done: first, total: total))
      let (nearest, elsewhere) = (try neighbours.nearest(index), try neighbours.elsewhere(index, directions))
      for feature in 0..<dictionary.features {
        try FeatureNeighbours.write(nearest[feature], of: first + feature, .decoder, db)
        try FeatureNeighbours.write(coactive(first + feature, first), of: first + feature, .coactive, db)
        try FeatureNeighbours.write(elsewhere[feature], of: first + feature, .elsewhere, db)
      }
      try neighbours.writeDirections(index, directions, db)
    }
  }

  /// Jaccard indices follow from the counts, unless these are of all tokens and the others of a sample.
  private func coactive(_ id: Int, _ first: Int) -> [FeatureNeighbours.Item] {
    let feature = contents.features[id]
    return feature.coactive.map { partner in
      let other = contents.features[first + partner.feature]
      let either = feature.sketch.count + other.sketch.count - partner.tokens
      let value = partner.value.map { Double($0) } ?? Double(partner.tokens) / Double(max(either, 1))
      return (first + partner.feature, value, partner.tokens)
    }
  }

  private func writeLabels(_ db: Database) throws {
    for (place, label) in contents.labels.enumerated() {
      let raised = contents.features[label.feature].raised.prefix(label.raised).map(tokenizer.piece)
      try db.cachedStatement(
        sql: """
          INSERT INTO explanation(id, feature_id, author, method, text, created, prompt_sha256)
          VALUES (?, ?, ?, ?, ?, ?, ?)
          """
      ).execute(arguments: [
        place + 1, label.feature, label.author, label.method, label.text + LexicalExplainer.raised(raised),
        label.created, label.prompt,
      ])
      for score in label.scores {
        var arguments: StatementArguments = [place + 1, score.test, score.judge, score.balanced, score.hard]
        arguments += StatementArguments(score.counts)
        arguments += [score.reason, score.created]
        try db.cachedStatement(
          sql: """
            INSERT INTO score(explanation_id, test, judge, balanced_accuracy, hard_accuracy, tp, fn, tn, fp, refused,
              malformed, timed_out, failed, reason, created) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """
        ).execute(arguments: arguments)
      }
    }
  }
}
