import GRDB

/// The tables of an atlas; docs/atlas.md tells what each column holds.
enum Schema {
  /// "GSAT", by which a file is told from other SQLite files.
  static let applicationID = 0x4753_4154
  static let version = 1

  static var migrator: DatabaseMigrator {
    var migrator = DatabaseMigrator()
    migrator.registerMigration("v1") { db in
      try db.execute(sql: statistics)
      try db.execute(sql: explanations)
      try db.execute(sql: search)
      try db.execute(sql: "PRAGMA application_id = \(applicationID); PRAGMA user_version = \(version)")
    }
    return migrator
  }

  /// The definitions of a database's tables, by name.
  static func tables(_ db: Database) throws -> [String: String] {
    let rows = try Row.fetchAll(
      db,
      sql: "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND sql IS NOT NULL")
    return Dictionary(rows.map { ($0["name"] as String, $0["sql"] as String) }) { first, _ in first }
  }

  /// The definitions of this version's tables.
  static func expected() throws -> [String: String] {
    let queue = try DatabaseQueue()
    try migrator.migrate(queue)
    return try queue.read(tables)
  }

  private static let statistics = """
    CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE build(
      id INTEGER PRIMARY KEY CHECK(id = 1), cursor TEXT NOT NULL, state_file TEXT NOT NULL, state_sha256 TEXT NOT NULL,
      tokens INTEGER NOT NULL) STRICT;
    CREATE TABLE step(name TEXT PRIMARY KEY, done INTEGER NOT NULL) STRICT;
    CREATE TABLE dictionary(
      id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, path TEXT, kind TEXT NOT NULL, reads TEXT NOT NULL,
      writes TEXT NOT NULL, width INTEGER NOT NULL, d_in INTEGER NOT NULL, d_out INTEGER NOT NULL,
      weights_sha256 TEXT NOT NULL, statistics TEXT NOT NULL, tokens INTEGER, l0 REAL, card TEXT, prefixes TEXT,
      first_feature INTEGER NOT NULL, features INTEGER NOT NULL) STRICT;
    CREATE TABLE feature(
      id INTEGER PRIMARY KEY, dictionary_id INTEGER NOT NULL REFERENCES dictionary(id), read INTEGER NOT NULL,
      idx INTEGER NOT NULL, count INTEGER, sequences INTEGER, rate REAL NOT NULL, mean REAL, max REAL,
      max_sequence INTEGER, max_position INTEGER, prefix INTEGER, quantiles BLOB, sketch BLOB,
      UNIQUE(dictionary_id, read, idx)) STRICT;
    CREATE TABLE logits(
      feature_id INTEGER PRIMARY KEY REFERENCES feature(id), top_tokens BLOB NOT NULL, top_values BLOB NOT NULL,
      bottom_tokens BLOB NOT NULL, bottom_values BLOB NOT NULL, histogram BLOB) STRICT;
    CREATE TABLE sequence(id INTEGER PRIMARY KEY, document TEXT, tokens BLOB NOT NULL, scales BLOB) STRICT;
    CREATE TABLE token(id INTEGER PRIMARY KEY, piece TEXT NOT NULL, bytes BLOB NOT NULL) STRICT;
    CREATE TABLE interval(
      feature_id INTEGER NOT NULL, bin INTEGER NOT NULL, lower REAL NOT NULL, upper REAL NOT NULL,
      count INTEGER NOT NULL, PRIMARY KEY(feature_id, bin)) STRICT, WITHOUT ROWID;
    CREATE TABLE example(
      feature_id INTEGER NOT NULL, bin INTEGER NOT NULL, rank INTEGER NOT NULL,
      sequence_id INTEGER NOT NULL REFERENCES sequence(id), position INTEGER NOT NULL, activation REAL NOT NULL,
      effect REAL, start INTEGER NOT NULL, length INTEGER NOT NULL, active BLOB NOT NULL, sources BLOB,
      split INTEGER NOT NULL, partial INTEGER NOT NULL DEFAULT 0,
      PRIMARY KEY(feature_id, bin, rank)) STRICT, WITHOUT ROWID;
    CREATE TABLE neighbour(
      feature_id INTEGER NOT NULL, kind INTEGER NOT NULL, rank INTEGER NOT NULL, other_id INTEGER NOT NULL,
      value REAL NOT NULL, tokens INTEGER, PRIMARY KEY(feature_id, kind, rank)) STRICT, WITHOUT ROWID;
    CREATE TABLE direction(
      dictionary_id INTEGER NOT NULL, kind INTEGER NOT NULL, first INTEGER NOT NULL, count INTEGER NOT NULL,
      scales BLOB NOT NULL, data BLOB NOT NULL, PRIMARY KEY(dictionary_id, kind, first)) STRICT, WITHOUT ROWID;
    CREATE TABLE pool_window(
      id INTEGER PRIMARY KEY, sequence_id INTEGER NOT NULL, start INTEGER NOT NULL, length INTEGER NOT NULL,
      split INTEGER NOT NULL) STRICT;
    CREATE TABLE pool_active(
      window_id INTEGER NOT NULL, dictionary_id INTEGER NOT NULL, bits BLOB NOT NULL,
      PRIMARY KEY(window_id, dictionary_id)) STRICT, WITHOUT ROWID;
    """

  private static let explanations = """
    CREATE TABLE explanation(
      id INTEGER PRIMARY KEY, feature_id INTEGER NOT NULL REFERENCES feature(id), author TEXT NOT NULL,
      method TEXT NOT NULL, text TEXT NOT NULL, created TEXT NOT NULL, prompt_sha256 TEXT,
      UNIQUE(feature_id, author, method)) STRICT;
    CREATE TABLE score(
      explanation_id INTEGER NOT NULL REFERENCES explanation(id) ON DELETE CASCADE, test TEXT NOT NULL,
      judge TEXT NOT NULL, balanced_accuracy REAL, hard_accuracy REAL, tp INTEGER NOT NULL, fn INTEGER NOT NULL,
      tn INTEGER NOT NULL, fp INTEGER NOT NULL, refused INTEGER NOT NULL, malformed INTEGER NOT NULL,
      timed_out INTEGER NOT NULL, failed INTEGER NOT NULL, reason TEXT, created TEXT NOT NULL,
      PRIMARY KEY(explanation_id, test, judge)) STRICT, WITHOUT ROWID;
    """

  /// The text index keeps its words apart from `search_text`, from which it is made; triggers keep the two alike.
  private static let search = """
    CREATE TABLE search_text(
      feature_id INTEGER PRIMARY KEY, label TEXT NOT NULL, tokens TEXT NOT NULL, outputs TEXT NOT NULL,
      contexts TEXT NOT NULL) STRICT;
    CREATE VIRTUAL TABLE search USING fts5(
      label, tokens, outputs, contexts, content = 'search_text', content_rowid = 'feature_id',
      tokenize = 'unicode61 remove_diacritics 2', prefix = '2 3');
    CREATE TRIGGER search_text_added AFTER INSERT ON search_text BEGIN
      INSERT INTO search(rowid, label, tokens, outputs, contexts)
      VALUES (new.feature_id, new.label, new.tokens, new.outputs, new.contexts);
    END;
    CREATE TRIGGER search_text_removed AFTER DELETE ON search_text BEGIN
      INSERT INTO search(search, rowid, label, tokens, outputs, contexts)
      VALUES ('delete', old.feature_id, old.label, old.tokens, old.outputs, old.contexts);
    END;
    CREATE TRIGGER search_text_changed AFTER UPDATE ON search_text BEGIN
      INSERT INTO search(search, rowid, label, tokens, outputs, contexts)
      VALUES ('delete', old.feature_id, old.label, old.tokens, old.outputs, old.contexts);
      INSERT INTO search(rowid, label, tokens, outputs, contexts)
      VALUES (new.feature_id, new.label, new.tokens, new.outputs, new.contexts);
    END;
    """

  /// Made when everything else is there.
  static let indexes = """
    CREATE INDEX IF NOT EXISTS feature_by_dictionary ON feature(dictionary_id, rate);
    CREATE INDEX IF NOT EXISTS example_by_sequence ON example(sequence_id);
    """
}
