import Checkpoints
import Foundation
import GRDB

/// Where an atlas and what belongs to its building lie: `NAME` is there only when it is whole; until then everything
/// is in `NAME-build`.
struct AtlasFiles {
  /// The finished atlas.
  let url: URL

  init(_ url: URL) { self.url = url }

  var folder: URL { URL(filePath: url.path + "-build") }
  /// The database that is being filled.
  var working: URL { folder.appending(path: "atlas.sqlite") }
  var sequences: URL { folder.appending(path: "sequences.bin") }
  func state(_ name: String) -> URL { folder.appending(path: name) }

  var isFinished: Bool { FileManager.default.fileExists(atPath: url.path) }
  var isBegun: Bool { FileManager.default.fileExists(atPath: working.path) }

  /// Runs `body` while no other process writes this atlas, in a folder made for it.
  /// - Throws: `AtlasError.taken`, `.file`, and what `body` throws.
  func locked(_ body: () throws -> Void) throws {
    do {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    } catch {
      throw AtlasError.file(path: folder.path, reason: "the folder cannot be made")
    }
    let lock: FolderLock
    do {
      lock = try FolderLock(folder)
    } catch let taken as FolderLock.Taken {
      throw AtlasError.taken(path: url.path, process: taken.process)
    }
    try withExtendedLifetime(lock) { try body() }
  }

  /// Removes what the building left; under the lock, or where nobody can have it.
  /// - Throws: `AtlasError.file`.
  func removeFolder() throws {
    guard FileManager.default.fileExists(atPath: folder.path) else { return }
    do {
      try FileManager.default.removeItem(at: folder)
    } catch {
      throw AtlasError.file(path: folder.path, reason: "the folder of the build cannot be removed")
    }
  }

  /// Makes the database with what `describe` writes, unless it is there: readers never meet one without tables.
  /// - Throws: `AtlasError.file`, and what `describe` throws.
  func begin(_ describe: (Database) throws -> Void) throws {
    if isBegun { return }
    let new = folder.appending(path: "new.sqlite")
    for name in ["", "-journal", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: new.path + name) }
    try Self.named(working) {
      let queue = try DatabaseQueue(path: new.path)
      try Schema.migrator.migrate(queue)
      try queue.write(describe)
      try queue.close()
    }
    guard rename(new.path, working.path) == 0 else {
      throw AtlasError.file(path: working.path, reason: String(cString: strerror(errno)))
    }
  }

  /// Opens the database that is being filled; readers may be at it all the time.
  /// - Throws: `AtlasError.file`.
  func openForBuilding() throws -> DatabasePool {
    try Self.named(working) {
      var configuration = Configuration()
      configuration.busyMode = .timeout(30)
      configuration.foreignKeysEnabled = true
      configuration.maximumReaderCount = 2
      configuration.prepareDatabase { db in
        // Rows are rewritten while it is built; nothing in them is secret.
        try db.execute(sql: "PRAGMA secure_delete = OFF; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16384")
      }
      return try DatabasePool(path: working.path, configuration: configuration)
    }
  }

  /// Opens an atlas for reading alone.
  /// - Throws: `AtlasError.file` for a file that is missing, no atlas, or made by a newer version.
  static func openForReading(_ url: URL) throws -> DatabaseQueue {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) else {
      throw AtlasError.file(path: url.path, reason: "no such file")
    }
    guard !isFolder.boolValue else {
      throw AtlasError.file(path: url.path, reason: "is a folder, expected the file of an atlas")
    }
    return try named(url) {
      let queue: DatabaseQueue
      do {
        queue = try openedReadOnly(url)
      } catch let error as DatabaseError where error.extendedResultCode == .SQLITE_READONLY_ROLLBACK {
        // Whoever added explanations was killed in a transaction; only one who may write can take that back.
        try openForExplaining(url).close()
        queue = try openedReadOnly(url)
      }
      let found = try queue.read { db in
        (
          id: try Int.fetchOne(db, sql: "PRAGMA application_id"),
          version: try Int.fetchOne(db, sql: "PRAGMA user_version"),
          isNewer: try Schema.migrator.hasBeenSuperseded(db), isWhole: try Schema.migrator.hasCompletedMigrations(db)
        )
      }
      guard found.id == Schema.applicationID else {
        throw AtlasError.file(path: url.path, reason: "is no atlas: its application id is not GSAT")
      }
      guard !found.isNewer, (found.version ?? 0) <= Schema.version else {
        throw AtlasError.file(
          path: url.path, reason: "has schema \(found.version ?? 0), this program reads up to \(Schema.version)")
      }
      guard found.isWhole else { throw AtlasError.file(path: url.path, reason: "lacks tables of schema 1") }
      // Rows are read by the names and types of their columns, so these must be what they are called.
      let (tables, expected) = (try queue.read(Schema.tables), try Schema.expected())
      for (name, definition) in expected where tables[name] != definition {
        throw AtlasError.file(path: url.path, reason: "its table '\(name)' is not that of schema \(Schema.version)")
      }
      return queue
    }
  }

  private static func openedReadOnly(_ url: URL) throws -> DatabaseQueue {
    var configuration = Configuration()
    configuration.readonly = true
    configuration.busyMode = .timeout(10)
    configuration.prepareDatabase { db in
      try db.execute(sql: "PRAGMA mmap_size = 268435456; PRAGMA temp_store = MEMORY")
    }
    let queue = try DatabaseQueue(path: url.path, configuration: configuration)
    _ = try queue.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM sqlite_master") }
    return queue
  }

  /// Opens a finished atlas for adding explanations to it.
  /// - Throws: `AtlasError.file`.
  static func openForExplaining(_ url: URL) throws -> DatabaseQueue {
    try named(url) {
      var configuration = Configuration()
      configuration.busyMode = .timeout(30)
      configuration.foreignKeysEnabled = true
      let queue = try DatabaseQueue(path: url.path, configuration: configuration)
      // Reading takes back what a killed process left half done.
      _ = try queue.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM sqlite_master") }
      return queue
    }
  }

  /// Turns SQLite's errors into ones that name the file.
  static func named<Result>(_ url: URL, _ body: () throws -> Result) throws -> Result {
    do {
      return try body()
    } catch let error as DatabaseError {
      throw AtlasError.file(path: url.path, reason: error.message ?? "SQLite error \(error.resultCode.rawValue)")
    }
  }

  /// Writes the filled database as one file in its place, and removes what the building left.
  func publish(_ pool: DatabasePool) throws {
    let partial = folder.appending(path: "finished.sqlite")
    try? FileManager.default.removeItem(at: partial)
    try pool.vacuum(into: partial.path)
    let queue = try DatabaseQueue(path: partial.path)
    // A finished atlas is one file that opens from a disk that cannot be written.
    let mode = try queue.writeWithoutTransaction { try String.fetchOne($0, sql: "PRAGMA journal_mode = DELETE") }
    try queue.close()
    guard mode == "delete" else {
      throw AtlasError.file(path: partial.path, reason: "journal mode is \(mode ?? "unknown"), expected delete")
    }
    try Self.sync(partial)
    guard rename(partial.path, url.path) == 0 else {
      throw AtlasError.file(path: url.path, reason: String(cString: strerror(errno)))
    }
    try Self.sync(url.deletingLastPathComponent())
  }

  /// Makes a whole atlas with what `fill` writes: nothing of it is kept when that fails, so it needs no journal.
  /// - Throws: `AtlasError.taken` while another process writes it, `.file`, and what `fill` throws.
  func write(_ fill: (Database) throws -> Void) throws {
    func checkNew() throws {
      guard !isFinished, !isBegun else {
        throw AtlasError.file(path: url.path, reason: "is there already, or being built; choose another file")
      }
    }
    try checkNew()
    try locked {
      // Another process may have been at it until now.
      try checkNew()
      defer { try? removeFolder() }
      try writeNew(fill)
    }
  }

  private func writeNew(_ fill: (Database) throws -> Void) throws {
    let partial = folder.appending(path: "finished.sqlite")
    for end in ["", "-journal"] { try? FileManager.default.removeItem(atPath: partial.path + end) }
    try Self.named(url) {
      var configuration = Configuration()
      configuration.foreignKeysEnabled = true
      configuration.prepareDatabase { db in
        try db.execute(
          sql: """
            PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -65536
            """)
      }
      let queue = try DatabaseQueue(path: partial.path, configuration: configuration)
      try Schema.migrator.migrate(queue)
      try queue.write(fill)
      try queue.close()
    }
    try Self.sync(partial)
    guard rename(partial.path, url.path) == 0 else {
      throw AtlasError.file(path: url.path, reason: String(cString: strerror(errno)))
    }
    try Self.sync(url.deletingLastPathComponent())
  }

  static func sync(_ url: URL) throws {
    let descriptor = open(url.path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw AtlasError.file(path: url.path, reason: String(cString: strerror(errno))) }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 || errno == EINVAL || errno == ENOTSUP else {
      throw AtlasError.file(path: url.path, reason: String(cString: strerror(errno)))
    }
  }
}
