import Atlas
import Checkpoints
import Dictionaries
import Foundation
import TestSupport
import Testing

/// The smallest nested part that a feature is in, in an atlas and through packing.
@Suite struct MatryoshkaTests {
  private let tiny: TinyAtlas

  init() throws { tiny = try TinyAtlas(names: ["residual"]) }

  /// The tiny dictionary of 37 features, with a `training.json` that tells `prefixes`.
  private func dictionary(_ prefixes: String, in name: String) throws -> SparseDictionary {
    let folder = tiny.url(name)
    try FileManager.default.copyItem(at: tiny.dictionaries[0].url, to: folder)
    let text = "{\"recipe\":{\"matryoshka\":{\"prefixes\":\(prefixes)}}}"
    try Data(text.utf8).write(to: folder.appending(path: "training.json"))
    return try SparseDictionary(contentsOf: folder, name: "residual", backend: tiny.backend)
  }

  private func build(_ dictionary: SparseDictionary, _ name: String) throws -> Atlas {
    var options = TinyAtlas.options
    options.tokens = 300
    let builder = try AtlasBuilder(
      tiny.model, AtlasModel(name: "tiny", sha256: "m"), tokenizer: tiny.tokenizer, corpus: tiny.corpus,
      dictionaries: [dictionary], options: options, at: tiny.url(name), check: {})
    try builder.build()
    return try Atlas(contentsOf: tiny.url(name))
  }

  private func prefixes(_ atlas: Atlas) throws -> [Int?] {
    try atlas.features(of: "residual").map { try atlas.feature($0).prefix }
  }

  @Test(arguments: ["[8,16,37]", "[8,16]"]) func featuresKnowTheirPart(prefixes told: String) throws {
    let dictionary = try dictionary(told, in: "nested")
    let atlas = try build(dictionary, "nested.sqlite")
    let expected = (0..<37).map { Optional($0 < 8 ? 8 : $0 < 16 ? 16 : 37) }
    #expect(try prefixes(atlas) == expected)

    let packed = tiny.url("nested.gsatlas")
    try atlas.pack(to: packed)
    try PackedAtlas(contentsOf: packed).expand(
      to: tiny.url("copy.sqlite"), dictionaries: [dictionary], model: tiny.model,
      AtlasModel(name: "tiny", sha256: "m"), tokenizer: tiny.tokenizer)
    #expect(try prefixes(Atlas(contentsOf: tiny.url("copy.sqlite"))) == expected)
  }

  /// What is no list of growing parts says nothing.
  @Test(arguments: ["[37]", "[]", "[16,8]", "[8,8]", "[0,8]", "[8,40]", "7"]) func othersHaveNone(prefixes: String)
    throws
  {
    let atlas = try build(try dictionary(prefixes, in: "plain"), "plain.sqlite")
    #expect(try self.prefixes(atlas).allSatisfy { $0 == nil })
  }
}
