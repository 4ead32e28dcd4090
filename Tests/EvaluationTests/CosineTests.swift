import Dictionaries
import Evaluation
import Foundation
import TestSupport
import Tensors
import Testing

@Suite struct CosineTests {
  private let backend: NativeBackend

  init() throws { backend = try NativeBackend(threads: 2) }

  /// Every figure against cosines in fp64, past the edges of tiles too.
  @Test(arguments: [(1, 1, 1), (7, 5, 3), (31, 64, 16), (515, 3, 5), (3, 8195, 4), (1025, 13, 2), (0, 4, 2), (4, 0, 2)])
  func againstTheDefinition(_ a: Int, _ b: Int, _ width: Int) throws {
    var random = SeededRandom(seed: UInt64(a * 10007 + b))
    let (x, y) = (random.floats(a * width, scale: 3), random.floats(b * width))
    let matrix = try CosineMatrix(UnitRows(x, width: width), UnitRows(y, width: width), backend: backend)
    let expected = (0..<a).map { i in
      (0..<b).map { j in cosine(x[i * width..<(i + 1) * width], y[j * width..<(j + 1) * width]) }
    }
    let all = try matrix.all()
    #expect(all.count == a * b)
    for i in 0..<a { for j in 0..<b { #expect(abs(Double(all[i * b + j]) - expected[i][j]) < 1e-5) } }
    let extremes = try matrix.extremes()
    #expect(extremes.ofA.count == a && extremes.ofB.count == b)
    for i in 0..<a {
      guard let best = expected[i].max() else {
        #expect(extremes.ofA[i] == nil)
        continue
      }
      let found = try #require(extremes.ofA[i])
      #expect(abs(Double(found.cosine) - best) < 1e-5 && expected[i][found.place] > best - 1e-5)
    }
    for j in 0..<b {
      guard let best = expected.map({ $0[j] }).max() else {
        #expect(extremes.ofB[j] == nil)
        continue
      }
      let found = try #require(extremes.ofB[j])
      #expect(abs(Double(found.cosine) - best) < 1e-5 && expected[found.place][j] > best - 1e-5)
    }
    for (i, nearest) in try matrix.nearest(4).enumerated() {
      let best = expected[i].sorted(by: >).prefix(4)
      #expect(nearest.count == best.count && Set(nearest.map(\.place)).count == nearest.count)
      for (found, value) in zip(nearest, best) {
        #expect(abs(Double(found.cosine) - value) < 1e-5 && abs(expected[i][found.place] - value) < 2e-5)
      }
    }
  }

  /// A set compared with itself: duplicates are nearest to each other, the first of several comes first.
  @Test func duplicatesAndZeros() throws {
    let rows = try UnitRows([1, 0, 0, 2, 3, 0, 0, 0, 5, 0], width: 2)
    #expect(rows.norms == [1, 2, 3, 0, 5])
    let found = try CosineMatrix(rows, rows, backend: backend).extremes(leavingOutSamePlace: true)
    #expect(found.ofA.map { $0?.place } == [2, 0, 0, 0, 0])
    #expect(found.ofA.map { $0?.cosine } == [1, 0, 1, 0, 1] && found.ofA == found.ofB)
    #expect(try CosineMatrix(rows, rows, backend: backend).nearest(2)[4].map(\.place) == [0, 2])
    let one = try UnitRows([3, 4], width: 2)
    #expect(try CosineMatrix(one, one, backend: backend).extremes(leavingOutSamePlace: true).ofA == [nil])
  }

  @Test func randomRowsAreUnitAndSeeded() throws {
    let rows = try UnitRows(random: 201, width: 7, seed: 5)
    let values = try rows.unit.read()
    for row in 0..<201 {
      let square = values[row * 7..<row * 7 + 7].reduce(0.0) { $0 + Double($1) * Double($1) }
      #expect(abs(square - 1) < 1e-6)
    }
    let means = (0..<7).map { i in (0..<201).reduce(0.0) { $0 + Double(values[$1 * 7 + i]) } / 201 }
    #expect(means.allSatisfy { abs($0) < 0.1 })
    #expect(try UnitRows(random: 201, width: 7, seed: 5).unit.read() == values)
    #expect(try UnitRows(random: 201, width: 7, seed: 5, stream: 1).unit.read() != values)
  }

  @Test func whatDoesNotFitIsNamed() throws {
    #expect(throws: EvaluationError.self) { try UnitRows([1, 2, 3], width: 2) }
    #expect(throws: EvaluationError.self) { try UnitRows([1, 2], width: 0) }
    #expect(throws: EvaluationError.self) { try UnitRows([1, .nan], width: 2) }
    #expect(throws: EvaluationError.self) { try UnitRows(random: 2, width: 0, seed: 1) }
    let (two, three) = (try UnitRows([1, 2], width: 2), try UnitRows([1, 2, 3], width: 3))
    #expect(throws: EvaluationError.self) { try CosineMatrix(two, three, backend: backend) }
    struct Stop: Error {}
    #expect(throws: Stop.self) { _ = try CosineMatrix(two, two, backend: backend).extremes { throw Stop() } }
  }

  /// Norms, encoder against decoder and nearest vectors of all kinds against plain loops.
  @Test(arguments: [(DictionaryKind.sae, 1), (.transcoder, 1), (.crosscoder, 3), (.clt, 2)])
  func weightGeometry(_ kind: DictionaryKind, _ reads: Int) throws {
    let shape = try MadeDictionary.shape(kind, reads: reads, width: 19, inputs: 5)
    let parameters = try MadeDictionary.random(shape, seed: 6)
    let dictionary = try MadeDictionary.open(parameters, backend: backend)
    for read in 0..<reads {
      let found = try WeightGeometry(dictionary, read: read)
      let layer = parameters.layers[read]
      let row = reads * 5
      let decoder = (0..<19).map { Array(layer.decoder[$0 * row + read * 5..<($0 + 1) * row]) }
      let encoder = (0..<19).map { feature in (0..<5).map { layer.encoder[$0 * 19 + feature] } }
      for feature in 0..<19 {
        func length(_ v: [Float]) -> Double { v.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot() }
        #expect(abs(found.decoderNorms[feature] - length(decoder[feature])) < 1e-6)
        #expect(abs(found.encoderNorms[feature] - length(encoder[feature])) < 1e-6)
        for (nearest, vectors) in [(found.nearestDecoder, decoder), (found.nearestEncoder, encoder)] {
          let others = (0..<19).filter { $0 != feature }.map { cosine(vectors[feature], vectors[$0]) }
          let nearest = try #require(nearest[feature])
          #expect(abs(nearest.cosine - (others.max() ?? .nan)) < 1e-6)
          #expect(abs(cosine(vectors[feature], vectors[nearest.feature]) - nearest.cosine) < 1e-6)
        }
        if kind == .sae || kind == .crosscoder {
          let cosines = try #require(found.encoderDecoderCosines)
          #expect(abs((cosines[feature] ?? .nan) - cosine(encoder[feature], decoder[feature].prefix(5))) < 1e-6)
        } else {
          #expect(found.encoderDecoderCosines == nil && found.meanEncoderDecoderCosine == nil)
        }
      }
    }
    #expect(throws: DictionaryError.self) { try WeightGeometry(dictionary, read: reads) }
  }

  @Test func plantedGeometry() throws {
    let rows: [[Float]] = [[1, 0, 0], [0, 2, 0], [1, 0, 0], [0, 0, 0]]
    let found = try WeightGeometry(MadeDictionary.open(MadeDictionary.tied(rows), backend: backend))
    #expect(found.encoderDecoderCosines == [1, 1, 1, nil] && found.meanEncoderDecoderCosine == 1)
    #expect(found.decoderNorms == [1, 2, 1, 0])
    #expect(found.nearestDecoder.map { $0?.feature } == [2, 0, 0, 0])
    #expect(found.meanNearestDecoderCosine == 0.5)
    let alone = try WeightGeometry(MadeDictionary.open(MadeDictionary.tied([[1, 2]]), backend: backend))
    #expect(alone.nearestDecoder == [nil] && alone.meanNearestDecoderCosine == nil)
  }
}
