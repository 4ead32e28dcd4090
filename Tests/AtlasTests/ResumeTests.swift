import Atlas
import Checkpoints
import Foundation
import GRDB
import Synchronization
import Tensors
import TestSupport
import Testing

/// Builds that are stopped, taken up, watched, and refused.
@Suite struct ResumeTests {
  private struct Stopped: Error {}

  @Test func stoppedBuildsEndAlike() throws {
    let tiny = try TinyAtlas()
    let calls = Mutex(0)
    try tiny.builder(tiny.url("whole.sqlite")) { calls.withLock { $0 += 1 } }.build()
    let expected = try Atlas(contentsOf: tiny.url("whole.sqlite")).digest()
    let total = calls.withLock { $0 }
    #expect(total > 100)
    var random = SeededRandom(seed: 6)
    for trial in 0..<20 {
      let url = tiny.url("stopped-\(trial).sqlite")
      // Twice in each trial: once early or late, once in what is left.
      var isDone = false
      for stop in 0..<2 where !isDone {
        let limit = stop == 0 ? total * trial / 20 + random.int(0...total / 20) : random.int(1...total)
        let left = Mutex(limit)
        let stopping = { @Sendable in
          try left.withLock { count in
            count -= 1
            if count < 0 { throw Stopped() }
          }
        }
        do {
          try tiny.builder(url, check: stopping).build()
          isDone = true
        } catch is Stopped {
          #expect(!FileManager.default.fileExists(atPath: url.path))
        }
      }
      try tiny.builder(url).build()
      #expect(try Atlas(contentsOf: url).digest() == expected, "trial \(trial)")
      #expect(!FileManager.default.fileExists(atPath: url.path + "-build"))
    }
  }

  @Test func threadsDoNotMatter() throws {
    let digests = try [1, 2].map { threads in
      let tiny = try TinyAtlas(threads: threads)
      return try tiny.build().digest()
    }
    #expect(digests[0] == digests[1])
  }

  /// A copy of a build's folder, taken while it is being built, is what a killed process would have left.
  @Test func copiesTakenOnTheWayEndAlike() throws {
    let tiny = try TinyAtlas()
    let url = tiny.url("atlas.sqlite")
    let folder = url.path + "-build"
    var copies: [String] = []
    var steps = 0
    try tiny.builder(url).build { progress in
      steps += 1
      guard steps % 3 == 1 || progress.stage != .pass, FileManager.default.fileExists(atPath: folder) else { return }
      let copy = tiny.url("copy-\(copies.count).sqlite").path
      try FileManager.default.copyItem(atPath: folder, toPath: copy + "-build")
      copies.append(copy)
    }
    let expected = try Atlas(contentsOf: url).digest()
    #expect(copies.count > 8)
    for copy in copies {
      try? FileManager.default.removeItem(atPath: copy + "-build/.lock")
      #expect(throws: AtlasError.self) { _ = try Atlas(contentsOf: URL(filePath: copy)) }
      try tiny.builder(URL(filePath: copy)).build()
      #expect(try Atlas(contentsOf: URL(filePath: copy)).digest() == expected, "\(copy)")
    }
  }

  @Test func readersSeeWholeFeaturesWhileItIsBuilt() throws {
    let tiny = try TinyAtlas(documents: 60)
    let url = tiny.url("atlas.sqlite")
    let seen = Mutex((looks: 0, slowest: Duration.zero, live: 0, faults: [String]()))
    let isDone = Mutex(false)
    let reader = Thread {
      while !isDone.withLock({ $0 }) {
        let start = ContinuousClock.now
        do {
          let atlas = try Atlas(contentsOf: url, allowPartial: true)
          for index in 0..<37 {
            let feature = try atlas.feature(FeatureKey(dictionary: "residual", index: index))
            if feature.sketch.count != feature.count { seen.withLock { $0.faults.append("a sketch of \(index)") } }
            if feature.count ?? 0 > 0 { seen.withLock { $0.live += 1 } }
          }
          let check = try atlas.check()
          let faults = check.faults.filter { !$0.hasPrefix("not finished") }
          seen.withLock { $0.faults += faults }
          seen.withLock { $0.looks += 1 }
        } catch AtlasError.file(_, let reason) where reason == "no such file" {
          // Not begun.
        } catch {
          // The folder goes away when the atlas is finished, which may be in the middle of opening it.
          if FileManager.default.fileExists(atPath: url.path + "-build") {
            seen.withLock { $0.faults.append("\(error)") }
          }
        }
        let time = ContinuousClock.now - start
        seen.withLock { $0.slowest = max($0.slowest, time) }
      }
    }
    reader.start()
    try tiny.builder(url).build()
    isDone.withLock { $0 = true }
    while !reader.isFinished { usleep(1000) }
    let found = seen.withLock { $0 }
    #expect(found.faults.isEmpty, "\(found.faults.prefix(3))")
    #expect(found.looks > 3 && found.live > 0, "\(found)")
    #expect(found.slowest < .seconds(3), "\(found.slowest)")
  }

  @Test func finishedAtlasesAreOneFile() throws {
    let tiny = try TinyAtlas(names: ["residual"])
    let atlas = try tiny.build()
    let names = try FileManager.default.contentsOfDirectory(atPath: tiny.directory.url.path)
    #expect(names.sorted() == ["atlas.sqlite", "texts.jsonl"])
    let header = try Data(contentsOf: atlas.url).prefix(20)
    // Bytes 18 and 19 of the header: 1 is a rollback journal, 2 a write-ahead log.
    #expect(header[18] == 1 && header[19] == 1)
    // Building it once more finds it finished.
    try tiny.builder(atlas.url) {}.build { _ in Issue.record("nothing was left to do") }
  }

  @Test func otherBuildsAreRefused() throws {
    let tiny = try TinyAtlas(names: ["residual"])
    let url = tiny.url("atlas.sqlite")
    var left = 40
    let stopping = {
      left -= 1
      if left < 0 { throw Stopped() }
    }
    #expect(throws: Stopped.self) { try tiny.builder(url, check: stopping).build() }
    #expect(throws: AtlasError.self) { _ = try Atlas(contentsOf: url) }
    let partial = try Atlas(contentsOf: url, allowPartial: true)
    guard case .building(let tokens, 1500) = partial.state else { return #expect(Bool(false), "\(partial.state)") }
    #expect(tokens > 0 && tokens < 1500)
    #expect(try partial.check().faults.contains { $0.hasPrefix("not finished") })
    var others = [TinyAtlas.options, TinyAtlas.options, TinyAtlas.options, TinyAtlas.options, TinyAtlas.options]
    others[0].seed = 1
    others[1].tokens = 1400
    others[2].batch = 2
    others[3].examples = 6
    others[4].before = 5
    for (options, key) in zip(others, ["seed", "tokens", "batch", "examples", "window"]) {
      do {
        try tiny.builder(url, options).build()
        Issue.record("\(key) was taken")
      } catch AtlasError.otherSettings(_, let found, _, _) {
        #expect(found == key)
      }
    }
    let other = try TinyAtlas(names: ["transcoder"])
    #expect(throws: AtlasError.self) { try other.builder(url).build() }
    // What the build saved is missing: told, and begun anew when asked.
    for name in try FileManager.default.contentsOfDirectory(atPath: url.path + "-build") where name.hasPrefix("state-")
    {
      try FileManager.default.removeItem(atPath: url.path + "-build/" + name)
    }
    #expect(throws: AtlasError.self) { try tiny.builder(url).build() }
    try AtlasBuilder.remove(url)
    try tiny.builder(url).build()
    #expect(try Atlas(contentsOf: url).state == .complete)
  }

  @Test func whatCannotBeIsRefused() throws {
    let tiny = try TinyAtlas(names: ["residual"])
    var options = TinyAtlas.options
    options.tokens = 0
    #expect(throws: AtlasError.self) { _ = try tiny.builder(tiny.url("a"), options) }
    options = TinyAtlas.options
    options.context = 1 << 19
    #expect(throws: AtlasError.self) { _ = try tiny.builder(tiny.url("a"), options) }
    let atlas = try tiny.build()
    #expect(throws: AtlasError.feature(key: FeatureKey(dictionary: "residual", index: 37), limit: 37)) {
      _ = try atlas.feature(FeatureKey(dictionary: "residual", index: 37))
    }
    #expect(throws: AtlasError.dictionary(name: "x", known: ["residual"])) {
      _ = try atlas.feature(FeatureKey(dictionary: "x", index: 0))
    }
    let text = try tiny.directory.write(Array("no database".utf8), as: "text.sqlite")
    #expect(throws: AtlasError.self) { _ = try Atlas(contentsOf: text) }
    let empty = try tiny.directory.write([], as: "empty.sqlite")
    #expect(throws: AtlasError.self) { _ = try Atlas(contentsOf: empty) }
    #expect(throws: AtlasError.self) { _ = try Atlas(contentsOf: tiny.url("missing.sqlite")) }
    // A database that says it is an atlas, with other tables.
    let queue = try DatabaseQueue(path: atlas.url.path)
    try queue.write { try $0.execute(sql: "DROP TABLE neighbour; CREATE TABLE neighbour(feature_id TEXT)") }
    try queue.close()
    #expect(throws: AtlasError.self) { _ = try Atlas(contentsOf: atlas.url) }
  }
}
