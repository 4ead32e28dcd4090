import Checkpoints
import Foundation
import Gemma

/// What an earlier run left in a folder: the shards that are whole and follow one another from the first. Everything
/// else of that run is removed.
struct StoreRecovery {
  private(set) var shards: [StoreFiles.Manifest.Shard] = []
  /// Where the stream goes on.
  private(set) var next: StreamState?
  /// Whether all of it is there.
  private(set) var isComplete = false

  /// - Throws: `ActivationError.otherSettings` and `.store` when the folder holds another harvest.
  init(_ folder: URL, _ settings: StoreSettings, _ check: CancellationCheck) throws {
    let manifest = folder.appending(path: StoreFiles.manifest)
    let finished = try? StoreFiles.read(StoreFiles.Manifest.self, from: manifest)
    let plan = try? StoreFiles.read(StoreSettings.self, from: folder.appending(path: StoreFiles.plan))
    for earlier in [plan, finished?.settings] {
      if let earlier, let difference = settings.difference(from: earlier) {
        throw ActivationError.otherSettings(
          path: folder.path, key: difference.key, found: difference.other, expected: difference.mine)
      }
    }
    let names = try Self.names(in: folder)
    for name in names where Self.isShard(name) { try Self.refuseForeign(folder.appending(path: name), settings) }
    try collect(folder, settings, check)
    if let finished, finished.settings == settings, finished.shards == shards {
      isComplete = true
      return
    }
    // Only the last shard of all may be short: whether this is it shows when it is made again.
    if let last = shards.last, last.rows != settings.rowsPerShard { shards.removeLast() }
    next = try shards.last.map { try StoreShard(folder.appending(path: $0.file), settings: settings).next }
    let kept = Set(shards.map(\.file))
    let useless = names.filter { Self.isShard($0) && !kept.contains($0) || AtomicFile.isPartial($0) }
    for name in useless + [StoreFiles.manifest] {
      try? FileManager.default.removeItem(at: folder.appending(path: name))
    }
  }

  private mutating func collect(_ folder: URL, _ settings: StoreSettings, _ check: CancellationCheck) throws {
    var rows = 0
    while true {
      try check()
      let url = folder.appending(path: StoreFiles.shard(shards.count))
      guard let shard = try? StoreShard(url, settings: settings), shard.firstRow == rows, (try? shard.verify()) != nil
      else { return }
      rows += shard.rows
      shards.append(.init(file: url.lastPathComponent, rows: shard.rows, crc32: shard.checksum))
      guard shard.rows == settings.rowsPerShard else { return }
    }
  }

  private static func isShard(_ name: String) -> Bool { name.hasPrefix("rows-") && name.hasSuffix(".safetensors") }

  private static func names(in folder: URL) throws -> [String] {
    do {
      return try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
    } catch {
      throw ActivationError.store(path: folder.path, reason: "the folder cannot be listed")
    }
  }

  /// Somebody else's shards are not removed.
  private static func refuseForeign(_ url: URL, _ settings: StoreSettings) throws {
    guard let metadata = try? SafetensorsFile(url).metadata else { return }
    guard try metadata["settings"] == settings.digest else {
      throw ActivationError.store(path: url.path, reason: "belongs to another harvest; choose another folder")
    }
  }
}
