import Checkpoints
public import Foundation
public import Gemma
import Tensors
public import Tokenization

/// Runs the model over a corpus and stores the activations, shard after shard.
///
/// A run that was stopped at any moment goes on behind the last shard that is whole, and ends with the same files as one
/// that was not. Memory holds one batch and one shard.
///
/// ```swift
/// let writer = try StoreWriter(folder, settings: settings, model: model, tokenizer: tokenizer, corpus: corpus)
/// while try writer.step() {}
/// try writer.finish()
/// ```
public final class StoreWriter {
  /// Rows in whole shards that an earlier run left.
  public let rowsFound: Int
  /// Whether an earlier run has finished: there is nothing to do.
  public let isComplete: Bool
  /// Rows stored or waiting for their shard to fill, those found included.
  public private(set) var rows: Int
  /// Tokens of the corpus that count, of all jobs' shards, up to here.
  public var tokensPassed: Int { stream.cursor.counted }

  private let folder: URL
  /// Held until the store is whole.
  private var lock: FolderLock?
  private let settings: StoreSettings
  private let digest: String
  private let stream: ActivationStream
  private var shards: [StoreFiles.Manifest.Shard] = []
  private var columns: [EncodedRows]
  private var tokens: [Int32] = []
  private var sequences: [Int32] = []
  private var positions: [Int32] = []
  /// Rows of the next batch that the last whole shard holds.
  private var skipped = 0

  /// Looks at what an earlier run left in `folder`, which is made when missing.
  /// - Throws: `ActivationError.otherSettings` when the folder holds another harvest, `.store` when it cannot be used.
  public init(
    _ folder: URL, settings: StoreSettings, model: GemmaModel, tokenizer: GemmaTokenizer, corpus: Corpus,
    check: @escaping CancellationCheck = {}
  ) throws {
    guard settings.rowsPerShard >= 1 else {
      throw ActivationError.option(name: "rows per shard", reason: "is \(settings.rowsPerShard), expected 1 or more")
    }
    self.folder = folder
    self.settings = settings
    digest = try settings.digest
    stream = try ActivationStream(
      model, tokenizer: tokenizer, corpus: corpus, sites: settings.sites.map(\.site), options: settings.harvest,
      check: check)
    guard stream.widths == settings.sites.map(\.width) else {
      throw ActivationError.option(name: "sites", reason: "have widths \(stream.widths) in this model")
    }
    columns = settings.sites.map { EncodedRows(type: settings.type, width: $0.width) }
    do {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    } catch {
      throw ActivationError.store(path: folder.path, reason: "the folder cannot be made")
    }
    lock = try Self.locked(folder)
    let found = try StoreRecovery(folder, settings, check)
    shards = found.shards
    isComplete = found.isComplete
    rowsFound = shards.reduce(0) { $0 + $1.rows }
    rows = rowsFound
    if let next = found.next {
      try stream.restore(next.sequences)
      skipped = next.row
    }
    try AtomicFile.writeJSON(settings, to: folder.appending(path: StoreFiles.plan))
  }

  private static func locked(_ folder: URL) throws -> FolderLock {
    do {
      return try FolderLock(folder)
    } catch let taken as FolderLock.Taken {
      let name = taken.process.map { " (process \($0))" } ?? ""
      throw ActivationError.store(
        path: folder.path, reason: "another gscope\(name) is writing into it; wait for it, or choose another folder")
    }
  }

  /// Runs one batch; false at the end of the corpus or of the tokens asked for.
  public func step() throws -> Bool {
    guard !isComplete, let batch = try stream.next() else { return false }
    guard skipped <= batch.rows.count else {
      throw ActivationError.store(path: folder.path, reason: "its last shard ends behind the end of its batch")
    }
    var first = skipped
    skipped = 0
    while first < batch.rows.count {
      let end = min(batch.rows.count, first + settings.rowsPerShard - tokens.count)
      try append(batch, first..<end)
      first = end
      guard tokens.count == settings.rowsPerShard else { continue }
      let isUsed = first == batch.rows.count
      try writeShard(next: StreamState(sequences: isUsed ? stream.cursor : batch.start, row: isUsed ? 0 : first))
    }
    return true
  }

  /// Writes what is left and the manifest.
  public func finish() throws {
    defer { lock = nil }
    if isComplete { return }
    if !tokens.isEmpty { try writeShard(next: StreamState(sequences: stream.cursor)) }
    guard rows > 0 || settings.harvest.packing.shardCount > 1 else {
      // Nothing to go on with: the folder is free for another corpus.
      try? FileManager.default.removeItem(at: folder.appending(path: StoreFiles.plan))
      throw ActivationError.option(name: "corpus", reason: "holds no token that counts")
    }
    let manifest = StoreFiles.Manifest(rows: rows, settings: settings, shards: shards)
    try AtomicFile.writeJSON(manifest, to: folder.appending(path: StoreFiles.manifest))
  }

  private func append(_ batch: ActivationBatch, _ range: Range<Int>) throws {
    for (i, tensor) in batch.tensors.enumerated() {
      let width = tensor.rowLength
      try tensor.withFloats { values in
        for row in batch.rows[range] {
          columns[i].append(UnsafeBufferPointer(rebasing: values[row * width..<(row + 1) * width]))
        }
      }
    }
    tokens += batch.tokens[range]
    sequences += batch.sequences[range]
    positions += batch.positions[range]
    rows += range.count
  }

  private func writeShard(next: StreamState) throws {
    let name = StoreFiles.shard(shards.count)
    let count = tokens.count
    var parts: [(name: String, bytes: [UInt8])] = []
    for (column, rows) in zip(settings.sites, columns) {
      parts.append(("\(column.site)", rows.elements))
      if settings.type == .int8 { parts.append(("\(column.site).scale", rows.scales.withUnsafeBytes { Array($0) })) }
    }
    for (name, values) in [("tokens", tokens), ("sequences", sequences), ("positions", positions)] {
      parts.append((name, values.withUnsafeBytes { Array($0) }))
    }
    var metadata = [
      "gemmascope": "activations", "schema": StoreShard.version, "settings": digest, "rows": "\(count)",
      "first_row": "\(rows - count)", "next": String(decoding: try StoreSettings.encoder.encode(next), as: UTF8.self),
    ]
    for part in parts { metadata["crc32.\(part.name)"] = StoreShard.hex(part.bytes.withUnsafeBytes(CRC32.of)) }
    metadata["crc32"] = StoreShard.checksum(metadata)
    let layout = StoreShard.layout(settings, rows: count).map {
      SafetensorsWriter.Entry($0.name, shape: $0.shape, dtype: $0.dtype)
    }
    let writer = try SafetensorsWriter(folder.appending(path: name), layout: layout, metadata: metadata)
    for part in parts { try part.bytes.withUnsafeBytes { try writer.write($0, to: part.name, at: 0) } }
    try writer.finish()
    shards.append(.init(file: name, rows: count, crc32: metadata["crc32"] ?? ""))
    for i in columns.indices { columns[i].removeAll() }
    tokens.removeAll(keepingCapacity: true)
    sequences.removeAll(keepingCapacity: true)
    positions.removeAll(keepingCapacity: true)
  }
}
