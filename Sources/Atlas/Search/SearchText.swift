public import Foundation
import GRDB

/// Fills `search_text`, from which triggers make the text index `search`.
///
/// Of each feature with examples or explanations: its explanations; the words at which its examples have it on; the
/// tokens that it raises most; the text of its largest examples.
enum SearchText {
  /// Examples whose whole text can be searched. Of the others only the feature's own words can: their text would take
  /// more of the file than everything else.
  static let contexts = 6

  /// Makes all rows anew.
  static func fill(_ db: Database, check: () throws -> Void) throws {
    if try hasRows(db) { try db.execute(sql: "DELETE FROM search_text") }
    let bytes = try tokenBytes(db)
    let labels = try labels(db)
    var outputs: [Int: String] = [:]
    let tables = try Row.fetchCursor(db, sql: "SELECT feature_id, top_tokens FROM logits")
    while let row = try tables.next() {
      let ids = try Blob.integers(row["top_tokens"] as Data, Int32.self, "logits.top_tokens")
      outputs[row["feature_id"]] = ids.map { ExampleWords.text([bytes[$0] ?? []]) }.joined(separator: " ")
    }
    let insert = try db.makeStatement(
      sql: "INSERT INTO search_text(feature_id, label, tokens, outputs, contexts) VALUES (?, ?, ?, ?, ?)")
    var current = Gathered()
    func write() throws {
      guard let id = current.feature else { return }
      try check()
      try insert.execute(arguments: [
        id, labels[id] ?? "", current.words.joined(separator: "\n"), outputs[id] ?? "",
        current.contexts.joined(separator: "\n"),
      ])
    }
    let rows = try Row.fetchCursor(
      db,
      sql: """
        SELECT feature_id, bin, rank, position, start, length, sequence.tokens AS tokens
        FROM example JOIN sequence ON sequence.id = sequence_id ORDER BY feature_id, bin, rank
        """)
    while let row = try rows.next() {
      let id: Int = row["feature_id"]
      if id != current.feature {
        try write()
        current = Gathered(feature: id)
      }
      try current.add(row, bytes)
    }
    try write()
    try insertLabels(db, labels)
  }

  /// Brings the explanations in the index of some features up to the table `explanation`; to be called in the
  /// transaction that wrote them. Rows that say the same already are left alone. An atlas without an index gets a
  /// whole one: with labels alone in it, a search would seem to look everywhere.
  static func updateLabels(_ db: Database, of features: some Sequence<Int>) throws {
    guard try hasRows(db) else { return try fill(db, check: {}) }
    let texts = try db.cachedStatement(sql: "SELECT text FROM explanation WHERE feature_id = ? ORDER BY id")
    let write = try db.cachedStatement(
      sql: """
        INSERT INTO search_text(feature_id, label, tokens, outputs, contexts) VALUES (?, ?, '', '', '')
        ON CONFLICT(feature_id) DO UPDATE SET label = excluded.label WHERE label <> excluded.label
        """)
    for id in features {
      let label = try String.fetchAll(texts, arguments: [id]).joined(separator: "\n")
      try write.execute(arguments: [id, label])
    }
  }

  static func hasRows(_ db: Database) throws -> Bool {
    try Int.fetchOne(db, sql: "SELECT 1 FROM search_text LIMIT 1") != nil
  }

  /// Explained features without examples.
  private static func insertLabels(_ db: Database, _ labels: [Int: String]) throws {
    let insert = try db.makeStatement(
      sql: "INSERT OR IGNORE INTO search_text(feature_id, label, tokens, outputs, contexts) VALUES (?, ?, '', '', '')")
    for (id, label) in labels.sorted(by: { $0.key < $1.key }) { try insert.execute(arguments: [id, label]) }
  }

  /// All explanations of a feature, one a line.
  private static func labels(_ db: Database) throws -> [Int: String] {
    var labels: [Int: String] = [:]
    for row in try Row.fetchAll(db, sql: "SELECT feature_id, text FROM explanation ORDER BY id") {
      let (id, text): (Int, String) = (row["feature_id"], row["text"])
      labels[id] = labels[id].map { $0 + "\n" + text } ?? text
    }
    return labels
  }

  private static func tokenBytes(_ db: Database) throws -> [Int32: [UInt8]] {
    let rows = try Row.fetchAll(db, sql: "SELECT id, bytes FROM token")
    // Numbers that no token has are left out.
    let known = rows.compactMap { row in Int32(exactly: row["id"] as Int).map { ($0, [UInt8](row["bytes"] as Data)) } }
    return Dictionary(known) { first, _ in first }
  }

  /// What the examples of one feature give.
  private struct Gathered {
    var feature: Int?
    var words: [String] = []
    var contexts: [String] = []
    private var seen: Set<String> = []

    init(feature: Int? = nil) { self.feature = feature }

    mutating func add(_ row: Row, _ bytes: [Int32: [UInt8]]) throws {
      let (start, length, position): (Int, Int, Int) = (row["start"], row["length"], row["position"])
      let all: Data = row["tokens"]
      guard start >= 0, length > 0, start <= all.count / 4 - length, start..<start + length ~= position else {
        throw AtlasError.file(path: "example", reason: "a window of \(length) tokens at \(start)")
      }
      let window = Data(all.dropFirst(start * 4).prefix(length * 4))
      let tokens = try Blob.integers(window, Int32.self, "sequence.tokens").map { bytes[$0] ?? [] }
      let word = ExampleWords.word(at: position - start, of: tokens)
      if !word.isEmpty, seen.insert(word).inserted { words.append(word) }
      if (row["bin"] as Int) == -1, (row["rank"] as Int) < SearchText.contexts {
        contexts.append(ExampleWords.text(tokens))
      }
    }
  }
}

extension Atlas {
  /// Makes the text index of a finished atlas anew from what the atlas holds.
  /// - Throws: `AtlasError.file`, `.unfinished`, and what `check` throws; the file is then as it was.
  public static func rebuildSearchIndex(of url: URL, check: () throws -> Void = {}) throws {
    // It opens what is an atlas and whole, nothing else.
    let place = try Atlas(contentsOf: url).url
    try AtlasFiles.named(place) {
      var configuration = Configuration()
      configuration.busyMode = .timeout(30)
      let queue = try DatabaseQueue(path: place.path, configuration: configuration)
      try queue.write { try SearchText.fill($0, check: check) }
      try queue.close()
    }
  }
}
