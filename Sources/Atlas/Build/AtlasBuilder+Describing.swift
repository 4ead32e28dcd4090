import Activations
import Checkpoints
import Dictionaries
import Foundation
import GRDB
import Sites

extension AtlasBuilder {
  /// What is known before the first token: the build, its dictionaries, and a row for every feature.
  func describe(_ db: Database) throws {
    let sites = attentionLayers.map { "\"attn_out.\($0)\"" }.joined(separator: ",")
    let names = corpus.files.map { JSONText.quoted($0.name) }.joined(separator: ",")
    let hash = fingerprint.fields.first { $0.key == "corpus" }?.value ?? ""
    let meta: [(String, String)] = [
      ("schema", "\(Schema.version)"), ("state", "building"), ("created", Date.now.ISO8601Format()),
      ("model_name", identity.name), ("model_sha256", identity.sha256),
      ("tokenizer_sha256", fingerprint.fields.first { $0.key == "tokenizer" }?.value ?? ""),
      ("corpus", "{\"files\":[\(names)],\"sha256\":\"\(hash)\"}"), ("context", "\(options.context)"),
      ("batch", "\(options.batch)"), ("seed", "\(options.seed)"), ("examples", "\(options.examples)"),
      ("tokens_planned", "\(options.tokens)"), ("tokens", "0"), ("sequences", "0"),
      ("window_before", "\(options.before)"), ("window_after", "\(options.after)"),
      ("scales", "[\"final_norm\"\(sites.isEmpty ? "" : "," + sites)]"), ("fingerprint", fingerprint.json),
    ]
    for (key, value) in meta { try Self.set(key, value, db) }
    for index in dictionaries.indices { try describe(index, db) }
  }

  static func set(_ key: String, _ value: String, _ db: Database) throws {
    try db.execute(sql: "INSERT OR REPLACE INTO meta(key, value) VALUES (?, ?)", arguments: [key, value])
  }

  private func describe(_ index: Int, _ db: Database) throws {
    let dictionary = dictionaries[index]
    let shape = dictionary.shape
    func list(_ sites: [Site]) -> String { "[" + sites.map { "\"\($0)\"" }.joined(separator: ",") + "]" }
    let prefixes = Matryoshka.prefixes(of: dictionary)
    let card = try dictionary.card()?.sorted { $0.key < $1.key }
      .map { "\(JSONText.quoted($0.key)):\($0.value)" }.joined(separator: ",")
    try db.execute(
      sql: """
        INSERT INTO dictionary(id, name, path, kind, reads, writes, width, d_in, d_out, weights_sha256, statistics,
          card, prefixes, first_feature, features) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'measured', ?, ?, ?, ?)
        """,
      arguments: [
        index, dictionary.name, dictionary.url.relativePath, shape.kind.rawValue, list(shape.reads),
        list(shape.writes), shape.width, shape.inputWidth, shape.outputWidth, hashes[index], card.map { "{\($0)}" },
        prefixes.map { "\($0)" }, firstFeatures[index], shape.totalWidth,
      ])
    let statement = try db.cachedStatement(
      sql:
        """
        INSERT INTO feature(id, dictionary_id, read, idx, count, sequences, rate, prefix)
        VALUES (?, ?, ?, ?, 0, 0, 0, ?)
        """
    )
    for feature in 0..<shape.totalWidth {
      let place = feature % shape.width
      try statement.execute(arguments: [
        firstFeatures[index] + feature, index, feature / shape.width, place, prefixes?.first { $0 > place },
      ])
    }
  }
}
