import Activations
import Checkpoints
import Foundation
import GRDB

/// A build under way: what is counted, in memory, and the database.
struct RunningBuild {
  let builder: AtlasBuilder
  let pool: DatabasePool
  let store: SequenceStore
  var state: BuildState
  /// Number of the state file that the database names; 0 before the first.
  var saved = 0
  /// Whether nothing but the finished file is missing.
  let isComplete: Bool

  var options: AtlasOptions { builder.options }
  var files: AtlasFiles { builder.files }

  /// Begins a build, or takes one up.
  /// - Throws: `AtlasError`.
  init(_ builder: AtlasBuilder, pool: DatabasePool) throws {
    self.builder = builder
    self.pool = pool
    let found = try pool.read { db in
      (
        fingerprint: try String.fetchOne(db, sql: "SELECT value FROM meta WHERE key = 'fingerprint'"),
        state: try String.fetchOne(db, sql: "SELECT value FROM meta WHERE key = 'state'"),
        build: try Row.fetchOne(db, sql: "SELECT state_file, state_sha256 FROM build")
      )
    }
    store = try SequenceStore(
      builder.files.sequences, context: builder.options.context, scaleCount: 1 + builder.attentionLayers.count)
    isComplete = found.state == "complete"
    try builder.compare(with: found.fingerprint)
    guard let build = found.build else {
      state = BuildState(builder.dictionaries, options: builder.options)
      return
    }
    let name: String = build["state_file"]
    let url = builder.files.state(name)
    func failure(_ reason: String) -> AtlasError {
      .state(path: url.path, reason: "\(reason), so the build cannot be gone on with; start again with --overwrite")
    }
    guard let data = try? Data(contentsOf: url) else { throw failure("is missing") }
    let bytes = [UInt8](data)
    guard SHA256.hex(of: bytes) == build["state_sha256"] as String else { throw failure("is damaged") }
    do {
      state = try BuildState(bytes, dictionaries: builder.dictionaries, options: builder.options)
    } catch is StateReader.Failure {
      throw failure("cannot be read")
    }
    saved = Int(name.dropFirst(6).dropLast(4)) ?? 0
    try removeStates(but: name)
  }

  private func removeStates(but name: String) throws {
    for other in (try? FileManager.default.contentsOfDirectory(atPath: files.folder.path)) ?? []
    where other.hasPrefix("state-") && other != name {
      try? FileManager.default.removeItem(at: files.state(other))
    }
  }

  /// Saves everything: first the state in a file of its own, then in one transaction what readers see and which file
  /// belongs to it, so that the two always agree.
  mutating func save(isLast: Bool = false) throws {
    try store.sync()
    let bytes = state.bytes
    let name = "state-\(saved + 1).bin"
    try AtomicFile.write(bytes, to: files.state(name))
    let hash = SHA256.hex(of: bytes)
    let (cursor, state) = (state.cursor, state)
    try pool.write { db in
      // The last time all is about to be written for good; readers need to know of how many tokens.
      try isLast ? writeProgress(state, db) : flush(state, db)
      try db.execute(
        sql: """
          INSERT INTO build(id, cursor, state_file, state_sha256, tokens) VALUES (1, ?, ?, ?, ?)
          ON CONFLICT(id) DO UPDATE SET cursor = excluded.cursor, state_file = excluded.state_file,
            state_sha256 = excluded.state_sha256, tokens = excluded.tokens
          """, arguments: ["sequence \(cursor.sequence)", name, hash, cursor.counted])
      if isLast { try db.execute(sql: "INSERT OR REPLACE INTO step(name, done) VALUES ('pass', 1)") }
    }
    saved += 1
    // A reader may be in the way: then the log is emptied another time.
    _ = try? pool.writeWithoutTransaction { try $0.checkpoint(.truncate) }
    try removeStates(but: name)
  }

  /// Which steps after the pass are done, and how far.
  func done(_ step: String) throws -> Int {
    try pool.read { try Int.fetchOne($0, sql: "SELECT done FROM step WHERE name = ?", arguments: [step]) ?? 0 }
  }

  /// Does a part of a step in one transaction with the note that it is done.
  func commit(_ step: String, _ done: Int, _ body: (Database) throws -> Void) throws {
    try pool.write { db in
      try body(db)
      try db.execute(sql: "INSERT OR REPLACE INTO step(name, done) VALUES (?, ?)", arguments: [step, done])
    }
  }
}
