import Atlas
import Dictionaries
import Foundation
import Gemma
import Sites
import Tensors
import TestSupport
import Testing

/// Search by codes and by directions, against dense reckonings.
@Suite struct CodeSearchTests {
  let tiny: TinyAtlas
  let atlas: Atlas

  init() throws {
    tiny = try TinyAtlas()
    atlas = try tiny.build()
  }

  private func number(_ key: FeatureKey, _ dictionary: SparseDictionary) throws -> Int {
    guard let layer = key.layer else { return key.index }
    let read = try #require(dictionary.shape.reads.firstIndex { $0.layer == layer })
    return read * dictionary.shape.width + key.index
  }

  @Test func codesAreRankedByHowRareTheyAre() throws {
    let reference = try DenseReference(tiny)
    let ids: [Int32] = Array(reference.ids[3].prefix(20))
    let sites = Set(tiny.dictionaries.flatMap(\.shape.reads))
    let result = try tiny.model.forward([ids], capture: sites, logits: .none)
    let codes: [(dictionary: String, code: DictionaryCode)] = try tiny.dictionaries.map { dictionary in
      (dictionary.name, try dictionary.encode(dictionary.shape.reads.compactMap { result.activations[$0] }))
    }
    for rows in [Array(1..<ids.count), [7]] {
      let found = try atlas.search(codes: codes, rows: rows, limit: 10_000)
      let on = codes.map { code in
        rows.reduce(into: Set<Int>()) { set, row in
          for item in code.1.active(inRow: row) { set.insert(item.read * 1_000_000 + item.feature) }
        }.count
      }
      #expect(found.count == on.reduce(0, +) && !found.isEmpty)
      for (a, b) in zip(found, found.dropFirst()) {
        #expect((a.score ?? 0, a.activation ?? 0) >= (b.score ?? 0, b.activation ?? 0))
      }
      for result in found {
        let index = try #require(tiny.dictionaries.firstIndex { $0.name == result.key.dictionary })
        let dictionary = tiny.dictionaries[index]
        let feature = try number(result.key, dictionary)
        let (activation, row) = (try #require(result.activation), try #require(result.row))
        let own = rows.map {
          codes[index].1.layers[feature / dictionary.shape.width]
            .activation(ofFeature: feature % dictionary.shape.width, inRow: $0)
        }
        let place = try #require(rows.firstIndex(of: row))
        #expect(own.max() == activation && own[place] == activation)
        // Every activation of the corpus that shares the exponent and five bits, or is larger.
        let edge = Float(bitPattern: (activation.bitPattern >> 18) << 18)
        let count = reference.values[index][feature].count { $0 >= edge }
        let bits = -log2((Double(count) + 0.5) / Double(reference.tokens.count + 1))
        #expect(result.score == bits && !result.isApproximate, "\(result.key)")
      }
    }
  }

  /// One feature on at rows 1 and 2: the row behind <bos> is worth what it says among as many rows as there are sequences.
  @Test func theTokenBehindBosIsComparedWithItsLike() throws {
    let sequences = try #require(Int(try atlas.meta("sequences") ?? ""))
    #expect(sequences > 1 && sequences < 1500)
    let feature = try #require(
      (0..<37).first { try atlas.feature(FeatureKey(dictionary: "residual", index: $0)).count ?? 0 > sequences })
    func search(_ first: Float, _ second: Float, opening: Int?) throws -> SearchResult? {
      let code = try DictionaryCode([
        SparseCode(
          rowOffsets: [0, 0, 1, 2], features: [Int32(feature), Int32(feature)], activations: [first, second])
      ])
      return try atlas.search(codes: [("residual", code)], rows: [1, 2], opening: opening).first
    }
    let (never, always): (Float, Float) = (1e9, 1e-6)
    let plain = try #require(try search(never, always, opening: nil))
    #expect(plain.row == 1 && abs((plain.score ?? 0) - log2(2 * 1501)) < 1e-9)
    let opening = try #require(try search(never, always, opening: 1))
    #expect(opening.row == 1 && abs((opening.score ?? 0) - log2(2 * Double(sequences + 1))) < 1e-9)
    // More tokens have it than there are sequences: so weak it may be on in all of them.
    let weak = try #require(try search(always, 0, opening: 1))
    #expect(weak.row == 1 && weak.score == -log2((Double(sequences) + 0.5) / Double(sequences + 1)))
    let second = try #require(try search(always, never, opening: 1))
    #expect(second.row == 2 && abs((second.score ?? 0) - log2(2 * 1501)) < 1e-9)
  }

  @Test func aRareFeatureStandsAboveACommonOne() throws {
    let features = try (0..<37).map { try atlas.feature(FeatureKey(dictionary: "residual", index: $0)) }
    let live = features.filter { $0.count ?? 0 > 2 }.sorted { $0.count ?? 0 < $1.count ?? 0 }
    let (rare, common) = (try #require(live.first), try #require(live.last))
    #expect((rare.count ?? 0) * 4 < common.count ?? 0)
    // Both at their weakest, so that what tells them apart is how often they fire.
    let pair = [rare, common].sorted { $0.key.index < $1.key.index }
    let code = try DictionaryCode([
      SparseCode(
        rowOffsets: [0, 2], features: pair.map { Int32($0.key.index) },
        activations: pair.map { $0.key == rare.key ? 1e-6 : 2e-6 })
    ])
    let found = try atlas.search(codes: [("residual", code)], rows: [0])
    #expect(found.map(\.key) == [rare.key, common.key])
    // One that was never so strong is the most specific, and finite.
    let strong = try DictionaryCode([
      SparseCode(
        rowOffsets: [0, 2], features: pair.map { Int32($0.key.index) },
        activations: pair.map { $0.key == common.key ? 1e9 : 1e-6 })
    ])
    let first = try #require(try atlas.search(codes: [("residual", strong)], rows: [0]).first)
    #expect(first.key == common.key && abs((first.score ?? 0) - log2(2 * 1501)) < 1e-9)
    #expect(try first.example == atlas.examples(common.key, .top).first)
    #expect(throws: AtlasError.self) { try atlas.search(codes: [("residual", code)], rows: [1]) }
    #expect(throws: AtlasError.self) { try atlas.search(codes: [("crosscoder", code)], rows: [0]) }
    #expect(throws: AtlasError.self) { try atlas.search(codes: [("none", code)], rows: [0]) }
  }

  @Test func aRowFindsItself() throws {
    let names = ["residual", "transcoder"]
    for dictionary in tiny.dictionaries where names.contains(dictionary.name) {
      let site = dictionary.shape.reads[0]
      let encoder = try dictionary.plainTensor("w_enc", read: 0).read()
      for feature in stride(from: 0, to: dictionary.shape.width, by: 5) {
        let key = FeatureKey(dictionary: dictionary.name, index: feature)
        let row = try dictionary.decoderRow(read: 0, feature: feature, write: 0).map { $0 * 3 }
        // Some planted features write nothing.
        guard row.contains(where: { $0 != 0 }) else {
          #expect(throws: AtlasError.self) { try atlas.search(direction: row, limit: 1) }
          continue
        }
        let found = try atlas.search(direction: row, limit: 2000)
        let first = try #require(found.first)
        #expect(first.key == key && abs((first.score ?? 0) - 1) < 1e-3, "\(key) found \(first.key)")
        #expect(found.count == tiny.dictionaries.reduce(0) { $0 + $1.shape.totalWidth })
        // The last is what points away.
        #expect(try atlas.search(direction: row.map { -$0 }, limit: 1).first?.key == found.last?.key)
        let column = (0..<dictionary.shape.inputWidth).map { encoder[$0 * dictionary.shape.width + feature] }
        guard column.contains(where: { $0 != 0 }) else { continue }
        #expect(try atlas.search(direction: column, .read(site), limit: 1).first?.key == key)
      }
    }
  }

  @Test func cosinesAreThoseOfTheRows() throws {
    let dictionary = try #require(tiny.dictionaries.first { $0.name == "residual" })
    var random = SeededRandom(seed: 8)
    for _ in 0..<5 {
      let direction = (0..<dictionary.shape.outputWidth).map { _ in Float(random.int(-1000...1000)) / 300 }
      for result in try atlas.search(direction: direction, in: ["residual"], limit: 37) {
        let row = try dictionary.decoderRow(read: 0, feature: result.key.index, write: 0)
        func dot(_ a: [Float], _ b: [Float]) -> Double { zip(a, b).reduce(0) { $0 + Double($1.0) * Double($1.1) } }
        let cosine = dot(row, direction) / (dot(row, row) * dot(direction, direction)).squareRoot()
        #expect(abs(cosine - (result.score ?? 2)) < 5e-3)
      }
    }
  }

  @Test(arguments: [[], [1, 2], [Float](repeating: 0, count: 32), [.nan], [Float](repeating: .infinity, count: 32)])
  func directionsThatAreNoneAreNamed(_ direction: [Float]) throws {
    #expect {
      try atlas.search(direction: direction)
    } throws: { error in
      if case AtlasError.option("direction", _) = error { true } else { false }
    }
    #expect(throws: AtlasError.self) { try atlas.search(direction: [1, 2, 3], .read(.embed)) }
  }
}
