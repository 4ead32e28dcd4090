import Atlas
import Dictionaries
import Gemma
import Sites
import Tensors
import TestSupport
import Testing
import Tokenization

/// Search while an atlas is being built.
@Suite struct PartialSearchTests {
  private struct Stopped: Error {}

  @Test func whatIsNotThereYetIsTold() throws {
    let tiny = try TinyAtlas(names: ["residual"])
    let url = tiny.url("atlas.sqlite")
    #expect(throws: Stopped.self) {
      try tiny.builder(url).build { progress in if progress.done >= 500 { throw Stopped() } }
    }
    let partial = try Atlas(contentsOf: url, allowPartial: true)
    guard case .building(let tokens, 1500) = partial.state else {
      Issue.record("\(partial.state)")
      return
    }
    let direction = try tiny.dictionaries[0].decoderRow(read: 0, feature: 3, write: 0)
    for (what, search) in [
      ("index of words", { _ = try partial.search(words: "a") }),
      ("directions", { _ = try partial.search(direction: direction) }),
    ] as [(String, () throws -> Void)] {
      let error = #expect(throws: AtlasError.self) { try search() }
      let text = error?.description ?? ""
      #expect(text.contains("has no \(what) yet") && text.contains("(\(tokens) of 1500"), "\(text)")
      #expect(text.contains("search by a text meanwhile") && text.contains("gscope atlas build"), "\(text)")
    }
    // Of a text it finds what was counted so far.
    let ids: [Int32] = [tiny.tokenizer.bos] + (20..<40)
    let result = try tiny.model.forward([ids], capture: [.residPost(3)], logits: .none)
    let input = try #require(result.activations[.residPost(3)])
    let found = try partial.search(
      codes: [("residual", try tiny.dictionaries[0].encode([input]))], rows: Array(1..<ids.count))
    #expect(!found.isEmpty)
  }

  /// Stopped once one of two dictionaries has its directions: some alone are not given out as all.
  @Test func directionsOfSomeAreNotAll() throws {
    let tiny = try TinyAtlas(names: ["residual", "transcoder"])
    let url = tiny.url("atlas.sqlite")
    let options = {
      var options = TinyAtlas.options
      options.saveEvery = 1000
      return options
    }()
    #expect(throws: Stopped.self) {
      try tiny.builder(url, options).build { progress in
        if progress.stage == .neighbours, progress.done > 0 { throw Stopped() }
      }
    }
    let partial = try Atlas(contentsOf: url, allowPartial: true)
    // Told though the pass was never saved before its end.
    #expect(partial.state == .building(tokens: 1500, of: 1500))
    let direction = try tiny.dictionaries[0].decoderRow(read: 0, feature: 3, write: 0)
    #expect(try partial.search(direction: direction, in: ["residual"]).first?.key.index == 3)
    for names in [nil, ["transcoder"], ["residual", "transcoder"]] {
      let error = #expect(throws: AtlasError.self) { try partial.search(direction: direction, in: names) }
      #expect(error?.description.contains("has no directions yet") == true, "\(String(describing: error))")
    }
  }
}
