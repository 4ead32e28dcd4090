import Atlas
import Dictionaries
import Foundation
import GRDB
import Gemma
import Sites
import Tensors
import TestSupport
import Testing
import Tokenization

/// Directions of a cross-layer transcoder: the residual stream adds up what its features write.
@Suite struct CrossLayerDirectionTests {
  private let tiny: TinyAtlas
  private let transcoder: SparseDictionary
  private let atlas: Atlas

  init() throws {
    tiny = try TinyAtlas(names: [])
    transcoder = try SparseDictionary(
      contentsOf: Fixtures.url("dictionaries/clt/width_203_l0_big"), name: "clt", backend: tiny.backend)
    var options = TinyAtlas.options
    options.tokens = 300
    try AtlasBuilder(
      tiny.model, AtlasModel(name: "tiny", sha256: "m"), tokenizer: tiny.tokenizer, corpus: tiny.corpus,
      dictionaries: [transcoder], options: options, at: tiny.url("clt.sqlite"), check: {}
    ).build()
    atlas = try Atlas(contentsOf: tiny.url("clt.sqlite"))
  }

  /// Writes of a feature of layer `read` are those from its own layer on.
  private func sum(_ read: Int, _ index: Int) throws -> [Double] {
    var sum = [Double](repeating: 0, count: transcoder.shape.outputWidth)
    for write in transcoder.shape.writes.indices where transcoder.shape.writes[write].layer >= read {
      for (i, number) in try transcoder.decoderRow(read: read, feature: index, write: write).enumerated() {
        sum[i] += Double(number)
      }
    }
    return sum
  }

  private func logits(_ direction: [Double]) throws -> [Double] {
    let gain = try tiny.model.finalNormGain.read()
    let count = tiny.model.configuration.vocabularySize
    let rows = try tiny.model.unembeddingRows((0..<Int32(count)).map { $0 }).read()
    return (0..<count).map { token in
      direction.indices.reduce(0.0) {
        $0 + direction[$1] * Double(gain[$1]) * Double(rows[token * direction.count + $1])
      }
    }
  }

  @Test func logitTablesAreOfTheSum() throws {
    let shape = transcoder.shape
    #expect(shape.reads.count == 7 && shape.width == 29)
    var (tables, several) = (0, 0)
    for key in try atlas.features(of: "clt", live: true) {
      guard let table = try atlas.feature(key).logits, let read = key.layer else { continue }
      let exact = try logits(try sum(read, key.index))
      let size = exact.map(abs).max() ?? 0
      for entry in table.top + table.bottom {
        #expect(abs(Double(entry.value) - exact[Int(entry.token.id)]) <= 1e-5 * size, "\(key)")
      }
      #expect(abs(Double(table.high) - (exact.max() ?? 0)) <= 1e-5 * size)
      tables += 1
      if read < 6 { several += 1 }
    }
    #expect(tables > 30 && several > 20, "\(tables) tables, \(several) of several writes")
  }

  /// The int8 rows by which directions are searched.
  @Test func storedDirectionsAreTheSum() throws {
    let blocks = try DatabaseQueue(path: atlas.url.path).read { db in
      try Row.fetchAll(db, sql: "SELECT first, count, data FROM direction WHERE kind = 0 ORDER BY first")
    }
    let width = transcoder.shape.outputWidth
    var rows = 0
    for block in blocks {
      let (first, count, data): (Int, Int, Data) = (block["first"], block["count"], block["data"])
      try #require(data.count == count * width)
      for offset in 0..<count {
        let number = first + offset
        let exact = try sum(number / transcoder.shape.width, number % transcoder.shape.width)
        let stored = data[data.startIndex + offset * width..<data.startIndex + (offset + 1) * width]
          .map { Double(Int8(bitPattern: $0)) }
        func dot(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
        let cosine = dot(exact, stored) / (dot(exact, exact) * dot(stored, stored)).squareRoot()
        #expect(cosine > 0.9999, "feature \(number): \(cosine)")
        rows += 1
      }
    }
    #expect(rows == transcoder.shape.totalWidth)
    // A feature is the nearest to its own sum.
    let first = try #require(try atlas.search(direction: try sum(1, 4).map { Float($0) }).first)
    #expect(first.key == FeatureKey(dictionary: "clt", layer: 1, index: 4))
  }
}
