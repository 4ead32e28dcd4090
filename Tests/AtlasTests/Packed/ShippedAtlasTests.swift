import Atlas
import Checkpoints
import Dictionaries
import Foundation
import Tensors
import TestSupport
import Testing

/// The packed atlas that comes with the suite: whole, and about the weights that lie beside it.
@Suite struct ShippedAtlasTests {
  private let suite = Fixtures.repository.appending(path: "suites/gemma-3-270m")

  private func listing() throws -> [String: Any] {
    let data = try Data(contentsOf: suite.appending(path: "suite.json"))
    return try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
  }

  @Test func theContainerIsWhole() throws {
    let bytes = [UInt8](try Data(contentsOf: suite.appending(path: "atlas/atlas.gsatlas")))
    #expect(bytes.starts(with: Array("GSATPACK".utf8)) && Array(bytes[8..<12]) == [1, 0, 0, 0])
    var hash = SHA256()
    hash.add(Array(bytes[44...]))
    #expect(hash.hex == bytes[12..<44].map { String(format: "%02x", $0) }.joined())
  }

  @Test func itIsAboutTheSuite() throws {
    let packed = try PackedAtlas(contentsOf: suite.appending(path: "atlas/atlas.gsatlas"))
    let listing = try listing()
    #expect((listing["model"] as? [String: Any])?["sha256"] as? String == packed.modelSHA256)
    let entries = try #require(listing["dictionaries"] as? [[String: Any]])
    #expect(entries.compactMap { $0["name"] as? String }.sorted() == packed.dictionaries.sorted())
    #expect(packed.dictionaries.count == 25)
    let backend = try NativeBackend(threads: 1)
    for entry in entries {
      let (name, path) = (try #require(entry["name"] as? String), try #require(entry["path"] as? String))
      let dictionary = try SparseDictionary(contentsOf: suite.appending(path: path), name: name, backend: backend)
      #expect(try WeightHash.sha256(of: dictionary.weightFiles) == packed.weightsSHA256(of: name), "\(name)")
    }
    #expect(packed.weightsSHA256(of: "none") == nil)
  }
}
