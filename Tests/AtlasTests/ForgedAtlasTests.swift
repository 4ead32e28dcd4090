import Atlas
import Checkpoints
import Dictionaries
import Foundation
import GRDB
import Sites
import TestSupport
import Testing

/// Atlases whose rows hold numbers that no build writes: what is read of them is refused, or right, and never ends the
/// process.
@Suite struct ForgedAtlasTests {
  let tiny: TinyAtlas
  let atlas: Atlas

  init() throws {
    tiny = try TinyAtlas()
    atlas = try tiny.build()
  }

  /// A copy that `sql` has changed.
  private func forged(_ sql: String) throws -> URL {
    let copy = tiny.url("forged.sqlite")
    try FileManager.default.copyItem(at: atlas.url, to: copy)
    var configuration = Configuration()
    configuration.foreignKeysEnabled = false
    let queue = try DatabaseQueue(path: copy.path, configuration: configuration)
    try queue.write { try $0.execute(sql: sql) }
    try queue.close()
    return copy
  }

  /// Uses everything that reads an atlas; returns what was said against it.
  private func use(_ url: URL) throws -> [String] {
    var said: [String] = []
    func attempt(_ body: () throws -> Void) throws {
      do { try body() } catch {
        try #require(error is AtlasError || error is ExplanationError || error is CheckpointError, "\(error)")
        said.append("\(error)")
      }
    }
    try attempt {
      let atlas = try Atlas(contentsOf: url)
      try attempt { said += try atlas.check().faults }
      try attempt { _ = try atlas.digest() }
      for dictionary in atlas.dictionaries {
        for feature in 0..<min(dictionary.width, 12) {
          let key = FeatureKey(dictionary: dictionary.name, layer: dictionary.reads[0].layer, index: feature)
          try attempt { _ = try atlas.feature(key) }
          try attempt { _ = try atlas.examples(key, .top) }
        }
        guard dictionary.reads.count == 1 else { continue }
        try attempt { try atlas.writeExamples(of: dictionary.name, to: tiny.url("examples.safetensors")) }
      }
      try attempt { _ = try atlas.search(words: "a* OR b* OR e*", limit: 100) }
      try attempt {
        let row = try tiny.dictionaries[0].decoderRow(read: 0, feature: 1, write: 0)
        _ = try atlas.search(direction: row, limit: 100)
      }
      try attempt { try atlas.pack(to: tiny.url("packed.gsatlas")) }
      try attempt {
        let evidence = try AtlasEvidence(atlas)
        for index in 0..<37 { try attempt { _ = try evidence.feature(FeatureKey(dictionary: "residual", index: index)) } }
      }
    }
    return said
  }

  @Test func aSoundAtlasIsReadWhole() throws {
    let said = try use(atlas.url)
    #expect(said == [], "\(said.prefix(5))")
  }

  @Test(arguments: [
    ("DELETE FROM feature WHERE id = 3", "features numbered"),
    ("UPDATE feature SET id = 9223372036854775807 WHERE id = 3", "features numbered"),
    ("UPDATE feature SET id = -9223372036854775808 WHERE id = 3", "features numbered"),
    ("UPDATE feature SET dictionary_id = 1, idx = 999 WHERE id = 3", "features numbered"),
    ("UPDATE dictionary SET width = 4294967296, features = 4294967296 WHERE id = 2", "expected"),
    ("UPDATE feature SET count = 9223372036854775807", "its sketch counts"),
    ("UPDATE example SET position = 9223372036854775807", "an example at"),
    ("UPDATE example SET position = -9223372036854775808", "an example at"),
    ("UPDATE example SET start = 9223372036854775807", "window"),
    ("UPDATE direction SET count = 4611686018427387904", "directions of"),
    ("UPDATE direction SET first = 9223372036854775807 WHERE dictionary_id = 0 AND kind = 0", "directions of"),
    ("UPDATE direction SET first = -1 WHERE dictionary_id = 0 AND kind = 0", "directions of"),
    ("UPDATE sequence SET id = -9223372036854775808 WHERE id = (SELECT min(id) FROM sequence)", ""),
    ("UPDATE token SET id = 4294967296 WHERE id = (SELECT max(id) FROM token)", ""),
    ("UPDATE example SET active = x'00'", ""),
    ("CREATE TABLE \"my notes; --\"(x)", ""),
  ]) func numbersThatCannotBe(sql: String, words: String) throws {
    let said = try use(forged(sql))
    #expect(words.isEmpty || said.contains { $0.contains(words) }, "\(said.prefix(5))")
    #expect(said.allSatisfy { $0.count < 2000 })
  }

  @Test func tablesOfOthersAreNotDigested() throws {
    #expect(try Atlas(contentsOf: forged("CREATE TABLE \"my notes\"(x)")).digest() == atlas.digest())
  }

  @Test func layersAreNamed() throws {
    let key = FeatureKey(dictionary: "crosscoder", layer: 99, index: 0)
    #expect(throws: AtlasError.layer(key: key, known: [1, 2, 4, 6])) { try atlas.feature(key) }
  }

  @Test func foldersAreNoAtlases() throws {
    let error = #expect(throws: AtlasError.self) { try Atlas(contentsOf: tiny.directory.url) }
    #expect(error?.description.contains("is a folder") == true)
  }

  /// Whoever comes second leaves the first one's work alone.
  @Test func oneProcessWrites() throws {
    try atlas.pack(to: tiny.url("packed.gsatlas"))
    let packed = try PackedAtlas(contentsOf: tiny.url("packed.gsatlas"))
    let url = tiny.url("expanded.sqlite")
    let folder = URL(filePath: url.path + "-build")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let taken = AtlasError.taken(path: url.path, process: Int(getpid()))
    func expand() throws {
      try packed.expand(
        to: url, dictionaries: tiny.dictionaries, model: tiny.model, AtlasModel(name: "tiny", sha256: "m"),
        tokenizer: tiny.tokenizer)
    }
    do {
      let lock = try FolderLock(folder)
      defer { withExtendedLifetime(lock) {} }
      try Data("another's".utf8).write(to: folder.appending(path: "finished.sqlite"))
      #expect(throws: taken) { try expand() }
      #expect(throws: taken) { try AtlasBuilder.remove(url) }
      #expect(throws: taken) { try tiny.builder(url).build() }
      #expect(FileManager.default.fileExists(atPath: folder.appending(path: "finished.sqlite").path))
    }
    try expand()
    #expect(!FileManager.default.fileExists(atPath: folder.path))
    #expect(try Atlas(contentsOf: url).check().faults == [])
    #expect(throws: AtlasError.self) { try expand() }
    try AtlasBuilder.remove(url)
    #expect(!FileManager.default.fileExists(atPath: url.path) && !FileManager.default.fileExists(atPath: folder.path))
  }

  @Test(arguments: [.infinity, .nan, -1, 1e300] as [Double]) func pausesThatCannotBe(seconds: Double) throws {
    var options = TinyAtlas.options
    options.saveEvery = seconds
    #expect(throws: AtlasError.self) { try tiny.builder(tiny.url("a.sqlite"), options) }
  }
}
