import Checkpoints
public import Foundation
public import Sites
public import Tensors

/// Stored activations, opened for reading any rows.
///
/// ```swift
/// let store = try ActivationStore(contentsOf: folder)
/// let rows = try store.rows(1000..<2000, sites: [.residPost(9)])
/// ```
///
/// The folder is what `gscope harvest` wrote: by one job, or by all jobs of an array, whose rows then follow one another
/// in the order of the jobs. Shards are mapped, and their checksums are compared when they are first read.
public final class ActivationStore {
  /// Rows of several sites, in the order of the store.
  public struct Rows: Sendable {
    /// For each site [rows, width], f32.
    public let tensors: [Tensor]
    /// For each row its token, its sequence in the corpus, and its position there.
    public let tokens: [Int32]
    public let sequences: [Int32]
    public let positions: [Int32]
  }

  /// What the store was made with; of several jobs, the first one's.
  public let settings: StoreSettings
  /// Rows of the whole store.
  public let count: Int

  private struct Part {
    let url: URL
    let settings: StoreSettings
    let checksum: String
    let range: Range<Int>
  }

  private let parts: [Part]
  private var opened: [Int: StoreShard] = [:]
  private var verified: Set<Int> = []
  /// Files mapped at one time.
  private static let mostOpen = 64

  /// - Throws: `ActivationError.store` naming what is missing, incomplete or does not belong together.
  public init(contentsOf folder: URL) throws {
    let folders = try Self.folders(folder)
    var parts: [Part] = []
    var first: StoreSettings?
    var end = 0
    for (job, folder) in folders.enumerated() {
      let file = folder.appending(path: StoreFiles.manifest)
      guard let manifest = try StoreFiles.read(StoreFiles.Manifest.self, from: file) else {
        let isBegun = FileManager.default.fileExists(atPath: folder.appending(path: StoreFiles.plan).path)
        throw ActivationError.store(
          path: folder.path,
          reason: isBegun
            ? "the harvest is not complete: run the same command again to finish it"
            : "holds no stored activations (\(StoreFiles.manifest)); 'gscope harvest' makes them")
      }
      try Self.check(manifest, file)
      var settings = manifest.settings
      guard settings.harvest.packing.shardCount == folders.count, settings.harvest.packing.shard == job else {
        throw ActivationError.store(
          path: file.path,
          reason: "is job \(settings.harvest.packing.shard)/\(settings.harvest.packing.shardCount), "
            + "expected \(job)/\(folders.count)")
      }
      for shard in manifest.shards {
        parts.append(
          Part(
            url: folder.appending(path: shard.file), settings: manifest.settings, checksum: shard.crc32,
            range: end..<end + shard.rows))
        end += shard.rows
      }
      settings.harvest.packing.shard = 0
      if let first, let difference = first.difference(from: settings) {
        throw ActivationError.store(
          path: file.path, reason: "'\(difference.key)' is \(difference.other), the first job has \(difference.mine)")
      }
      first = first ?? settings
    }
    guard let first, end > 0 else { throw ActivationError.store(path: folder.path, reason: "holds no rows") }
    settings = first
    count = end
    self.parts = parts
  }

  public var sites: [Site] { settings.sites.map(\.site) }
  public var widths: [Int] { settings.sites.map(\.width) }

  /// SHA-256 of what the manifests say: all settings, and each shard's rows and checksum. Stores of one digest hold the
  /// same rows, wherever they lie.
  /// - Throws: what encoding the settings throws.
  public var digest: String {
    get throws {
      var hash = SHA256()
      for part in parts { hash.add("\(try part.settings.digest) \(part.range.count) \(part.checksum)\n".utf8) }
      return hash.hex
    }
  }

  /// Rows `range` of `sites`, of all sites when nil.
  /// - Throws: `ActivationError.store` naming a damaged file, `.option` for a range or site that the store lacks.
  public func rows(_ range: Range<Int>, sites wanted: [Site]? = nil) throws -> Rows {
    guard range.lowerBound >= 0, range.upperBound <= count else {
      throw ActivationError.option(name: "rows", reason: "\(range) reaches past the \(count) rows stored")
    }
    let columns = try (wanted ?? sites).map { try column($0) }
    let storages = try columns.map { try HostStorage(byteCount: range.count * $0.width * 4) }
    var integers: [[Int32]] = [[], [], []]
    try eachShard(range) { shard, local, start in
      for (column, storage) in zip(columns, storages) {
        let out = storage.bytes.bindMemory(to: Float.self)
        try Self.decode(shard, column, settings.type, local) { row, write in
          let target = (start + row) * column.width
          write(UnsafeMutableBufferPointer(rebasing: out[target..<target + column.width]))
        }
      }
      for (i, name) in ["tokens", "sequences", "positions"].enumerated() {
        integers[i] += try shard.file.tensor(name).rows(local).readIntegers().map { Int32(truncatingIfNeeded: $0) }
      }
    }
    let tensors = try zip(columns, storages).map { column, storage in
      try Tensor(storage: storage, shape: [range.count, column.width], dtype: .f32)
    }
    return Rows(tensors: tensors, tokens: integers[0], sequences: integers[1], positions: integers[2])
  }

  /// Compares the checksums of all files.
  /// - Throws: `ActivationError.store` naming the first damaged one, and what `check` throws.
  public func verify(check: () throws -> Void = {}) throws {
    for index in parts.indices {
      try check()
      _ = try shard(index)
    }
  }

  func column(_ site: Site) throws -> StoreSettings.Column {
    guard let column = settings.sites.first(where: { $0.site == site }) else {
      let known = sites.map(\.description).joined(separator: ", ")
      throw ActivationError.option(name: "site", reason: "\(site) is not stored; there are \(known)")
    }
    return column
  }

  /// Widens rows `local` of a shard, handing each to `place` with its number from the first.
  private static func decode(
    _ shard: StoreShard, _ column: StoreSettings.Column, _ type: StoredType, _ local: Range<Int>,
    _ place: (Int, (UnsafeMutableBufferPointer<Float>) -> Void) -> Void
  ) throws {
    let tensor = try shard.file.tensor("\(column.site)").rows(local)
    let scales = type == .int8 ? try shard.file.tensor("\(column.site).scale").rows(local).read() : []
    guard let bytes = tensor.hostBytes else { return }
    withExtendedLifetime(tensor) {
      for row in 0..<local.count {
        place(row) { out in
          EncodedRows.decode(type, bytes, scale: type == .int8 ? scales[row] : 1, row: row, to: out)
        }
      }
    }
  }

  /// Calls `body` for each shard that meets `range`: with its rows there, and where they begin in `range`.
  private func eachShard(_ range: Range<Int>, _ body: (StoreShard, Range<Int>, Int) throws -> Void) throws {
    var index = parts.partitioningIndex { $0.range.upperBound > range.lowerBound }
    while index < parts.count, parts[index].range.lowerBound < range.upperBound {
      let part = parts[index].range
      let shared = part.clamped(to: range)
      let local = shared.lowerBound - part.lowerBound..<shared.upperBound - part.lowerBound
      if !local.isEmpty { try body(try shard(index), local, shared.lowerBound - range.lowerBound) }
      index += 1
    }
  }

  private func shard(_ index: Int) throws -> StoreShard {
    if let shard = opened[index] { return shard }
    let part = parts[index]
    let shard = try StoreShard(part.url, settings: part.settings)
    guard shard.rows == part.range.count, shard.checksum == part.checksum else {
      throw ActivationError.store(path: part.url.path, reason: "is not the file that \(StoreFiles.manifest) lists")
    }
    if !verified.contains(index) {
      try shard.verify()
      verified.insert(index)
    }
    if opened.count >= Self.mostOpen { opened.removeAll() }
    opened[index] = shard
    return shard
  }

  /// The folders of all jobs in order, or `folder` itself.
  private static func folders(_ folder: URL) throws -> [URL] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    guard !names.contains(StoreFiles.manifest) else { return [folder] }
    let counts = Set(names.compactMap { $0.wholeMatch(of: /shard-\d+-of-(\d+)/).flatMap { Int($0.output.1) } })
    guard let count = counts.first, count <= 1 << 16 else { return [folder] }
    guard counts.count == 1 else {
      throw ActivationError.store(path: folder.path, reason: "holds jobs of several harvests: of \(counts.sorted())")
    }
    return try (0..<count).map { job in
      let name = StoreFiles.job(job, of: count)
      guard names.contains(name) else {
        throw ActivationError.store(path: folder.path, reason: "'\(name)' is missing: run --shard \(job)/\(count)")
      }
      return folder.appending(path: name)
    }
  }

  private static func check(_ manifest: StoreFiles.Manifest, _ file: URL) throws {
    func failure(_ reason: String) -> ActivationError { .store(path: file.path, reason: reason) }
    guard manifest.schema == 1, manifest.settings.schema == 1 else {
      throw failure("'schema' is \(manifest.schema), expected 1")
    }
    guard !manifest.settings.sites.isEmpty, manifest.settings.sites.allSatisfy({ 1...1 << 24 ~= $0.width }) else {
      throw failure("'sites' lists none, or an impossible width")
    }
    var rows = 0
    for (index, shard) in manifest.shards.enumerated() {
      let (sum, overflow) = rows.addingReportingOverflow(shard.rows)
      guard shard.rows > 0, !overflow, sum < 1 << 48, shard.file == StoreFiles.shard(index) else {
        throw failure("'shards.\(index)' is not the shard expected there")
      }
      rows = sum
    }
    guard rows == manifest.rows else { throw failure("'rows' is \(manifest.rows), its shards have \(rows)") }
  }
}

extension Array {
  /// The first index whose element satisfies `predicate`, which holds from some element on; `count` when none does.
  fileprivate func partitioningIndex(where predicate: (Element) -> Bool) -> Int {
    var (low, high) = (0, count)
    while low < high {
      let middle = (low + high) / 2
      if predicate(self[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
