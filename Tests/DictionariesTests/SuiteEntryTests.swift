import Dictionaries
import Foundation
import Sites
import Tensors
import TestSupport
import Testing

/// A dictionary opened with what a suite says of it.
struct SuiteEntryTests {
  let folder: TemporaryDirectory
  let backend: NativeBackend

  init() throws {
    folder = try TemporaryDirectory()
    backend = try NativeBackend(threads: 1)
  }

  private func open(
    _ entry: Suite.Entry, layers: Int = 1, isAffine: Bool = false, config: String? = nil
  ) throws -> SparseDictionary {
    var random = SeededRandom(seed: 11)
    try ReferenceDictionary(inputs: 4, outputs: 4, features: 6, layers: layers, isAffine: isAffine, random: &random)
      .write(to: folder.url, isMultiLayer: layers > 1, config: config)
    return try SparseDictionary(contentsOf: folder.url, entry: entry, backend: backend)
  }

  private func entry(
    _ kind: DictionaryKind = .sae, _ sites: [Site] = [.residPost(3)], width: Int = 6, isAffine: Bool = false
  ) -> Suite.Entry {
    Suite.Entry(
      name: "mine", path: "d", kind: kind, sites: sites, width: width, l0: 20, isAffine: isAffine, card: [:])
  }

  /// Neither a configuration nor the folder's name tells what these are.
  @Test func fillsInWhatIsNotSaid() throws {
    let sae = try open(entry())
    #expect(sae.name == "mine")
    #expect(sae.shape.kind == .sae && sae.shape.reads == [.residPost(3)] && sae.shape.writes == sae.shape.reads)
    let transcoder = try open(entry(.transcoder, [.mlpIn(2), .mlpOut(2)], isAffine: true), isAffine: true)
    #expect(transcoder.shape.reads == [.mlpIn(2)] && transcoder.shape.writes == [.mlpOut(2)])
  }

  @Test func fillsInSeveralLayers() throws {
    let crosscoder = try open(entry(.crosscoder, [.residPost(1), .residPost(4)], width: 12), layers: 2)
    #expect(crosscoder.shape.reads == [.residPost(1), .residPost(4)])
  }

  @Test func fillsInACLT() throws {
    let clt = try open(entry(.clt, [.mlpIn(0), .mlpOut(0), .mlpIn(1), .mlpOut(1)], width: 12), layers: 2)
    #expect(clt.shape.reads == [.mlpIn(0), .mlpIn(1)] && clt.shape.writes == [.mlpOut(0), .mlpOut(1)])
  }

  @Test func mustAgreeWithWhatIsFound() throws {
    #expect(try open(entry(), config: configJSON()).shape.width == 6)
    let cases: [(Suite.Entry, String)] = [
      (entry(.transcoder, [.mlpIn(3), .mlpOut(3)]), "kind transcoder"), (entry(width: 7), "width 7"),
      (entry(isAffine: true), "an affine skip connection"), (entry(.sae, [.residPost(4)]), "sites resid_post.4"),
    ]
    for (entry, text) in cases {
      let error = #expect(throws: DictionaryError.self) { try open(entry, config: configJSON()) }
      guard case .contradiction(let path, let stated, _) = error else {
        Issue.record("\(String(describing: error))")
        continue
      }
      #expect(path == folder.url.path && stated == "\(text) (in suite.json)")
    }
  }
}
