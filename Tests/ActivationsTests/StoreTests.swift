import Activations
import Checkpoints
import Foundation
import Gemma
import Sites
import Tensors
import TestSupport
import Testing

@Suite struct StoreTests {
  let directory: TemporaryDirectory
  let corpus: Corpus
  private let sites: [Site] = [.residPost(2), .attnOut(4)]

  init() throws {
    directory = try TemporaryDirectory()
    corpus = try Tiny.corpus(directory, documents: 30)
  }

  private func settings(
    _ type: StoredType = .fp32, rows: Int = 64, shard: Int = 0, of count: Int = 1, limit: Int? = 500
  ) throws -> StoreSettings {
    let shape = try Tiny.model().shape
    return StoreSettings(
      sites: sites.map { .init(site: $0, width: shape.width(of: $0)) }, type: type, seed: 5,
      harvest: Tiny.options(limit: limit, shard: shard, of: count), rowsPerShard: rows, model: "tiny",
      modelSHA256: "m", corpusSHA256: try corpus.sha256())
  }

  private func folder(_ name: String) -> URL { directory.url.appending(path: name) }

  private func writer(_ folder: URL, _ settings: StoreSettings, check: @escaping CancellationCheck = {}) throws
    -> StoreWriter
  {
    try StoreWriter(
      folder, settings: settings, model: Tiny.model(), tokenizer: Tiny.tokenizer(), corpus: corpus, check: check)
  }

  @discardableResult
  private func harvest(_ name: String, _ settings: StoreSettings) throws -> URL {
    let writer = try writer(folder(name), settings)
    while try writer.step() {}
    try writer.finish()
    return folder(name)
  }

  /// Every file of a folder.
  private func contents(_ folder: URL) throws -> [String: Data] {
    var files: [String: Data] = [:]
    for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) {
      files[name] = try Data(contentsOf: folder.appending(path: name))
    }
    return files
  }

  private func modelSource(_ settings: StoreSettings) throws -> ModelActivationSource {
    try ModelActivationSource(
      Tiny.model(), tokenizer: Tiny.tokenizer(), corpus: corpus, sites: sites, options: settings.harvest,
      window: WindowOptions(rows: 90, seed: 5))
  }

  /// Stores of the same rows have one digest wherever they lie; another type, length or shard size is another store.
  @Test func theDigestTellsStoresApart() throws {
    func digest(_ name: String, _ settings: StoreSettings) throws -> String {
      try ActivationStore(contentsOf: harvest(name, settings)).digest
    }
    let digests = [
      try digest("a", settings()), try digest("b", settings(.bf16)), try digest("c", settings(limit: 400)),
      try digest("d", settings(rows: 100)),
    ]
    #expect(Set(digests).count == 4 && digests[0].count == 64)
    #expect(try digest("e", settings()) == digests[0])
  }

  @Test func theStoreGivesTheModelsStream() throws {
    let settings = try settings()
    let store = try ActivationStore(contentsOf: harvest("a", settings))
    #expect(store.count == 500)
    #expect(store.settings == settings)
    let source = try StoreActivationSource(store, window: WindowOptions(rows: 90, seed: 5))
    let expected = try modelSource(settings).windows()
    #expect(try source.windows().map { try $0.bits() } == expected.map { try $0.bits() })
    // From any window on, and for some of the sites.
    let again = try StoreActivationSource(store, sites: [sites[1]], window: WindowOptions(rows: 90, seed: 5))
    _ = try again.nextWindow()
    let state = again.state
    let rest = try again.windows().map { try $0.bits() }
    try again.restore(state)
    #expect(try again.windows().map { try $0.bits() } == rest)
    #expect(try rest.map { $0[0] } == expected.dropFirst().map { try $0.tensors[1].bytes() })
    #expect(throws: ActivationError.self) { try again.restore(StreamState(row: 501)) }
  }

  @Test(arguments: StoredType.allCases)
  func roundingStaysWithinItsBound(type: StoredType) throws {
    let exact = try ActivationStore(contentsOf: harvest("exact", settings())).rows(0..<500)
    let store = try ActivationStore(contentsOf: harvest("rounded", settings(type, rows: 101)))
    let rounded = try store.rows(0..<500)
    #expect(rounded.tokens == exact.tokens && rounded.sequences == exact.sequences)
    #expect(rounded.positions == exact.positions)
    for (a, b) in zip(exact.tensors, rounded.tensors) {
      for row in 0..<500 {
        let (x, y) = (try a.rows(row..<row + 1).read(), try b.rows(row..<row + 1).read())
        let largest = x.map(abs).max() ?? 0
        for (x, y) in zip(x, y) {
          let bound: Float =
            switch type {
            case .fp32: 0
            case .bf16: abs(x) * 0x1p-8
            case .int8: largest / 127 * 0.5001
            }
          #expect(abs(x - y) <= bound)
        }
      }
    }
  }

  @Test func anyRowsCanBeRead() throws {
    let store = try ActivationStore(contentsOf: harvest("a", settings(.bf16, rows: 33)))
    let whole = try store.rows(0..<store.count)
    var random = SeededRandom(seed: 2)
    for _ in 0..<40 {
      let start = random.int(0...store.count)
      let range = start..<random.int(start...store.count)
      let part = try store.rows(range, sites: [sites[1]])
      #expect(part.tokens == Array(whole.tokens[range]) && part.positions == Array(whole.positions[range]))
      #expect(try part.tensors[0].bytes() == whole.tensors[1].rows(range).bytes())
    }
    #expect(throws: ActivationError.self) { try store.rows(0..<store.count + 1) }
    #expect(throws: ActivationError.self) { try store.rows(0..<1, sites: [.embed]) }
  }

  /// Whatever a kill leaves: shards missing or cut anywhere, no manifest, no plan, a file half made.
  @Test func anyRemainsAreCompletedToTheSameFiles() throws {
    let settings = try settings(.int8, rows: 50)
    let expected = try contents(harvest("whole", settings))
    var random = SeededRandom(seed: 6)
    let folder = folder("killed")
    for trial in 0..<25 {
      try? FileManager.default.removeItem(at: folder)
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
      for (name, bytes) in expected {
        switch random.int(0...5) {
        case 0: continue
        case 1: try bytes.prefix(random.int(0...bytes.count)).write(to: folder.appending(path: name))
        case 2 where name.hasPrefix("rows-"):
          var changed = bytes
          changed[random.int(0...bytes.count - 1)] ^= 0x10
          try changed.write(to: folder.appending(path: name))
        default: try bytes.write(to: folder.appending(path: name))
        }
      }
      try Data([1, 2, 3]).write(to: folder.appending(path: ".partial-1"))
      // A changed byte may be what names the settings; then the file counts as somebody else's.
      do {
        try harvest("killed", settings)
      } catch ActivationError.store(_, let reason) where reason.contains("another harvest") {
        continue
      }
      #expect(try contents(folder) == expected, "trial \(trial)")
    }
  }

  @Test func aStopAtAnyMomentIsTakenUpAgain() throws {
    let settings = try settings(rows: 70)
    let expected = try contents(harvest("whole", settings))
    struct Stop: Error {}
    for moment in [1, 3, 10, 25, 40] {
      var left = moment
      do {
        let writer = try writer(folder("stopped\(moment)"), settings) {
          left -= 1
          if left == 0 { throw Stop() }
        }
        while try writer.step() {}
        try writer.finish()
      } catch is Stop {}
      if left == 0 {
        #expect(throws: ActivationError.self) { try ActivationStore(contentsOf: folder("stopped\(moment)")) }
      }
      try harvest("stopped\(moment)", settings)
      #expect(try contents(folder("stopped\(moment)")) == expected)
    }
    // Once more: nothing is left to do, and nothing changes.
    let done = try writer(folder("whole"), settings)
    #expect(done.isComplete && done.rowsFound == 500)
    #expect(try !done.step())
    try done.finish()
    #expect(try contents(folder("whole")) == expected)
  }

  @Test func shardsOfAnArrayMakeTheWhole() throws {
    let whole = try ActivationStore(contentsOf: harvest("whole", settings()))
    for job in 0..<3 {
      if job == 2 {
        #expect(throws: ActivationError.self) { try ActivationStore(contentsOf: folder("array")) }
      }
      try harvest("array/shard-\(job)-of-3", settings(shard: job, of: 3))
    }
    let union = try ActivationStore(contentsOf: folder("array"))
    #expect(union.count == whole.count)
    func rows(_ store: ActivationStore) throws -> [String: [Float]] {
      let all = try store.rows(0..<store.count)
      var rows: [String: [Float]] = [:]
      for i in 0..<store.count {
        rows["\(all.sequences[i]) \(all.positions[i]) \(all.tokens[i])"] =
          try all.tensors.flatMap { try $0.rows(i..<i + 1).read() }
      }
      return rows
    }
    let (a, b) = (try rows(whole), try rows(union))
    #expect(a.count == whole.count && Set(a.keys) == Set(b.keys))
    // Other sequences share a batch, so the last bits may differ.
    for (key, x) in a {
      #expect(zip(x, try #require(b[key])).allSatisfy { abs($0 - $1) <= 1e-4 * max(1, abs($0)) })
    }
  }

  @Test func damageIsNamed() throws {
    let settings = try settings(rows: 60)
    let expected = try contents(harvest("a", settings))
    var random = SeededRandom(seed: 12)
    let file = folder("a").appending(path: "rows-00003.safetensors")
    let bytes = try #require(expected["rows-00003.safetensors"])
    for trial in 0..<60 {
      var damaged = bytes
      if trial % 2 == 0 {
        damaged = damaged.prefix(random.int(0...bytes.count - 1))
      } else {
        damaged[random.int(0...bytes.count - 1)] ^= UInt8(1 << random.int(0...7))
      }
      try damaged.write(to: file)
      let store = try ActivationStore(contentsOf: folder("a"))
      _ = try store.rows(0..<180)
      do {
        _ = try store.rows(170..<190)
        // White space in the header may change its kind.
        Issue.record("trial \(trial) was not noticed")
      } catch let error as ActivationError {
        #expect("\(error)".hasPrefix(file.path), "\(error)")
      }
    }
    try bytes.write(to: file)
    try ActivationStore(contentsOf: folder("a")).verify()
    try FileManager.default.removeItem(at: file)
    #expect(throws: ActivationError.self) { try ActivationStore(contentsOf: folder("a")).verify() }
  }

  @Test(arguments: ["", "{}", "[]", "{\"schema\":2}", "null", "{\"schema\":1,\"rows\":\"x\"}"])
  func manifestsThatAreNoneAreNamed(text: String) throws {
    let file = try harvest("a", settings()).appending(path: "store.json")
    try Data(text.utf8).write(to: file)
    let error = try #require(throws: ActivationError.self) { try ActivationStore(contentsOf: folder("a")) }
    #expect("\(error)".hasPrefix(file.path), "\(error)")
  }

  @Test func otherSettingsAreRefusedAndNothingIsLost() throws {
    let first = try settings()
    let files = try contents(harvest("a", first))
    var others = [first, first, first, first]
    others[0].type = .bf16
    others[1].harvest.packing.context = 25
    others[2].corpusSHA256 = "other"
    others[3].sites.removeLast()
    for other in others {
      #expect(throws: ActivationError.self) { try writer(folder("a"), other) }
    }
    #expect(try contents(folder("a")) == files)
    // Not even when only the shards are left.
    for name in ["store.json", "harvest.json"] {
      try FileManager.default.removeItem(at: folder("a").appending(path: name))
    }
    #expect(throws: ActivationError.self) { try writer(folder("a"), others[0]) }
    #expect(try contents(folder("a")).count == files.count - 2)
  }
}
