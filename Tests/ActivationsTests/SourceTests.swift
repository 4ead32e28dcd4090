import Activations
import Foundation
import Gemma
import Sites
import Tensors
import TestSupport
import Testing

@Suite struct SourceTests {
  private let sites: [Site] = [.residPost(2), .attnOut(4), .mlpIn(1)]

  private func source(
    _ corpus: Corpus, _ options: HarvestOptions = Tiny.options(),
    window: WindowOptions = WindowOptions(rows: 100, seed: 5),
    threads: Int = 2
  ) throws -> ModelActivationSource {
    try ModelActivationSource(
      Tiny.model(threads: threads), tokenizer: Tiny.tokenizer(), corpus: corpus, sites: sites, options: options,
      window: window)
  }

  /// Every row of every sequence that counts, in order, made by one plain pass for each batch.
  private func reference(_ corpus: Corpus, _ options: HarvestOptions) throws -> (tokens: [Int32], rows: [[[Float]]]) {
    let model = try Tiny.model()
    let sequences = try Tiny.sequences(corpus, options.packing)
    var tokens: [Int32] = []
    var rows: [[[Float]]] = sites.map { _ in [] }
    for start in stride(from: 0, to: sequences.count, by: options.batch) {
      let batch = sequences[start..<min(start + options.batch, sequences.count)]
      let result = try model.forward(batch.map(\.tokens), capture: Set(sites), logits: .none)
      for (sequence, segment) in zip(batch, result.rows.segments) {
        tokens += sequence.counted.map { sequence.tokens[$0] }
        for (i, site) in sites.enumerated() {
          let tensor = try #require(result.activations[site])
          for position in sequence.counted {
            let row = segment.lowerBound + position
            rows[i].append(try tensor.rows(row..<row + 1).read())
          }
        }
      }
    }
    return (tokens, rows)
  }

  @Test func windowsHoldTheReferenceRowsShuffledAlike() throws {
    let directory = try TemporaryDirectory()
    let corpus = try Tiny.corpus(directory, documents: 30)
    let windows = try source(corpus).windows()
    let expected = try reference(corpus, Tiny.options())
    #expect(windows.map(\.index) == Array(windows.indices))
    #expect(windows.dropLast().allSatisfy { $0.count == 100 } && windows.count > 3)
    #expect(windows.reduce(0) { $0 + $1.count } == expected.tokens.count)
    var start = 0
    for window in windows {
      let range = start..<start + window.count
      let rows = try window.tensors.map { tensor in try (0..<window.count).map { try tensor.rows($0..<$0 + 1).read() } }
      // The same row at every site: the activations of all sites side by side are a permutation of the reference.
      let found = (0..<window.count).map { i in ([Float(window.tokens[i])] + rows.flatMap { $0[i] }).map(\.bitPattern) }
      let wanted = range.map { i in
        ([Float(expected.tokens[i])] + expected.rows.flatMap { $0[i] }).map(\.bitPattern)
      }
      #expect(found.sorted { $0.lexicographicallyPrecedes($1) } == wanted.sorted { $0.lexicographicallyPrecedes($1) })
      if window.count > 20 { #expect(found != wanted, "not shuffled") }
      start = range.upperBound
    }
  }

  @Test func anyWindowCanBeResumedBitForBit() throws {
    let directory = try TemporaryDirectory()
    let corpus = try Tiny.corpus(directory, documents: 40)
    for (rows, shards) in [(37, 1), (100, 3), (5000, 1)] {
      let options = Tiny.options(limit: 700, shard: shards - 1, of: shards)
      let window = WindowOptions(rows: rows, seed: 8)
      let whole = try source(corpus, options, window: window)
      var states = [whole.state]
      var bits: [[[UInt8]]] = []
      while let next = try whole.nextWindow() {
        bits.append(try next.bits())
        states.append(whole.state)
      }
      for index in states.indices {
        let again = try source(corpus, options, window: window, threads: 1)
        try again.restore(JSONDecoder().decode(StreamState.self, from: JSONEncoder().encode(states[index])))
        #expect(again.state == states[index])
        #expect(try again.windows().map { try $0.bits() } == Array(bits[index...]))
      }
    }
  }

  @Test func aStopLeavesThePlaceAsItWas() throws {
    let directory = try TemporaryDirectory()
    let corpus = try Tiny.corpus(directory, documents: 30)
    struct Stop: Error {}
    var left = 40
    let source = try ModelActivationSource(
      Tiny.model(), tokenizer: Tiny.tokenizer(), corpus: corpus, sites: sites, options: Tiny.options(),
      window: WindowOptions(rows: 100, seed: 5)
    ) {
      left -= 1
      if left == 0 { throw Stop() }
    }
    var bits: [[[UInt8]]] = []
    var stops = 0
    while true {
      do {
        guard let next = try source.nextWindow() else { break }
        bits.append(try next.bits())
      } catch is Stop {
        stops += 1
      }
    }
    #expect(stops == 1)
    #expect(try bits == self.source(corpus).windows().map { try $0.bits() })
  }

  @Test func theOrderIsAPureFunctionOfSeedAndWindow() throws {
    let directory = try TemporaryDirectory()
    let corpus = try Tiny.corpus(directory, documents: 20)
    func tokens(_ seed: UInt64) throws -> [[Int32]] {
      try source(corpus, window: WindowOptions(rows: 64, seed: seed)).windows().map(\.tokens)
    }
    #expect(try tokens(1) == tokens(1))
    let (one, two) = (try tokens(1), try tokens(2))
    #expect(one != two && one.map { $0.sorted() } == two.map { $0.sorted() })
  }

  @Test func shufflesAreUniform() {
    // Each of 6 rows should be at each place about equally often: chi-square with 25 degrees of freedom.
    var counts = [[Int]](repeating: [Int](repeating: 0, count: 6), count: 6)
    let trials = 6000
    for seed in 0..<trials {
      let places = TokenShuffle(seed: UInt64(seed), window: 3, count: 6).places
      for (row, place) in places.enumerated() { counts[row][Int(place)] += 1 }
    }
    let expected = Double(trials) / 6
    let chiSquare = counts.flatMap { $0 }.reduce(0) { $0 + pow(Double($1) - expected, 2) / expected }
    #expect(chiSquare < 60, "\(chiSquare)")
  }

  @Test func halfPrecisionWindowsRoundToNearest() throws {
    let directory = try TemporaryDirectory()
    let corpus = try Tiny.corpus(directory, documents: 10)
    let full = try source(corpus).windows()
    let half = try source(corpus, window: WindowOptions(rows: 100, seed: 5, storage: .bf16)).windows()
    for (a, b) in zip(full, half) {
      #expect(a.tokens == b.tokens)
      #expect(b.tensors.allSatisfy { $0.dtype == .bf16 })
      for (x, y) in zip(try a.rows(0..<a.count), try b.rows(0..<b.count)) {
        #expect(y.dtype == .f32 && x.shape == y.shape)
        #expect(zip(try x.read(), try y.read()).allSatisfy { abs($0 - $1) <= abs($0) * 0x1p-8 })
      }
    }
  }

  @Test func outliersInNormAreDropped() throws {
    let directory = try TemporaryDirectory()
    let corpus = try Tiny.corpus(directory, documents: 30)
    var options = Tiny.options(batch: 4)
    let expected = try reference(corpus, options)
    func norm(_ row: [Float]) -> Double { row.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot() }
    options.normFilter = .init(site: .residPost(2), factor: 1.1)
    let kept = try source(corpus, options).windows().reduce(0) { $0 + $1.count }
    let sequences = try Tiny.sequences(corpus, options.packing)
    var start = 0
    var wanted = 0
    for first in stride(from: 0, to: sequences.count, by: 4) {
      let count = sequences[first..<min(first + 4, sequences.count)].reduce(0) { $0 + $1.counted.count }
      let norms = expected.rows[0][start..<start + count].map(norm)
      if count > 0 { wanted += norms.filter { $0 <= norms.sorted()[count / 2] * 1.1 }.count }
      start += count
    }
    #expect(kept == wanted)
    #expect(kept < expected.tokens.count && kept > 0)
  }

  @Test func impossibleOptionsAreRefused() throws {
    let directory = try TemporaryDirectory()
    let corpus = try Tiny.corpus(directory, documents: 3)
    for options in [Tiny.options(context: 513), Tiny.options(batch: 0), Tiny.options(limit: -1)] {
      #expect(throws: ActivationError.self) { try source(corpus, options) }
    }
    #expect(throws: ActivationError.self) { try source(corpus, window: WindowOptions(rows: 0)) }
    #expect(throws: (any Error).self) {
      try ModelActivationSource(
        Tiny.model(), tokenizer: Tiny.tokenizer(), corpus: corpus, sites: [.residPost(7)], options: Tiny.options())
    }
    let good = try source(corpus)
    #expect(throws: ActivationError.self) { try good.restore(StreamState(windowIndex: -1)) }
    #expect(throws: ActivationError.self) {
      try good.restore(StreamState(row: 1 << 40))
      _ = try good.nextWindow()
    }
  }
}
