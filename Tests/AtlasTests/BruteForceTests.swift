import Atlas
import Dictionaries
import Foundation
import GRDB
import Sites
import Tensors
import TestSupport
import Testing

/// An atlas of the tiny model against everything kept densely.
@Suite struct BruteForceTests {
  let tiny: TinyAtlas
  let reference: DenseReference
  let atlas: Atlas

  init() throws {
    tiny = try TinyAtlas()
    reference = try DenseReference(tiny)
    atlas = try tiny.build()
  }

  /// Every feature with its dictionary's and its own number.
  private func each(_ body: (Int, Int, FeatureKey) throws -> Void) throws {
    for (index, dictionary) in tiny.dictionaries.enumerated() {
      for feature in 0..<dictionary.shape.totalWidth {
        let read = feature / dictionary.shape.width
        let layer = dictionary.shape.reads.count > 1 ? dictionary.shape.reads[read].layer : nil
        try body(
          index, feature,
          FeatureKey(dictionary: dictionary.name, layer: layer, index: feature % dictionary.shape.width))
      }
    }
  }

  private func expectEqual(_ found: [AtlasExample], _ expected: [DenseReference.Example], _ what: String) {
    #expect(found.map(\.sequence) == expected.map(\.sequence), "\(what)")
    #expect(found.map(\.position) == expected.map(\.position), "\(what)")
    #expect(found.map(\.activation) == expected.map { Double($0.activation) }, "\(what)")
    #expect(found.map(\.activations) == expected.map(\.activations), "\(what)")
    for (found, expected) in zip(found, expected) {
      #expect(found.start == expected.window.lowerBound && found.tokens.count == expected.window.count, "\(what)")
      #expect(found.tokens.map(\.id) == expected.window.map { reference.ids[expected.sequence][$0] }, "\(what)")
      #expect(found.split == Int(ReferenceHash.of(9, 2, found.sequence) & 1))
    }
  }

  @Test func statisticsAreThoseOfTheDenseTable() throws {
    #expect(reference.tokens.count == TinyAtlas.options.tokens)
    #expect(atlas.state == .complete)
    var (live, dead) = (0, 0)
    try each { index, feature, key in
      let found = try atlas.feature(key)
      #expect(found.key == key)
      let places = reference.active(index, feature)
      let own = places.map { reference.values[index][feature][$0] }
      #expect(found.count == places.count)
      #expect(found.sequences == Set(places.map { reference.tokens[$0].sequence }).count)
      #expect(found.rate == Double(places.count) / Double(reference.tokens.count))
      #expect(found.maximum == own.max().map(Double.init))
      guard let maximum = own.max(), let mean = found.mean else {
        dead += 1
        return #expect(
          found.mean == nil && found.place == nil && found.quantiles.isEmpty && found.logits == nil
            && found.intervals.isEmpty)
      }
      live += 1
      let exact = own.reduce(0.0) { $0 + Double($1) } / Double(own.count)
      #expect(abs(mean - exact) <= 1e-12 * exact)
      let first = try #require(zip(places, own).first { $0.1 == maximum }).0
      #expect(found.place?.sequence == reference.tokens[first].sequence)
      #expect(found.place?.position == reference.tokens[first].position)
      var sketch = ActivationSketch()
      for number in own { sketch.add(number) }
      #expect(found.sketch == sketch)
      for (share, value) in found.quantiles { #expect(sketch.quantile(share) == value) }
      #expect(found.quantiles.map(\.share) == [0.1, 0.25, 0.5, 0.75, 0.9, 0.99])
      let intervals = sketch.intervals
      #expect(found.intervals.map(\.count) == intervals.map(\.count))
      for interval in found.intervals {
        #expect(interval.count == own.count { Double($0) >= interval.lower && Double($0) < interval.upper })
      }
    }
    // The check would be empty if nothing fired, or everything did.
    #expect(live > 100 && dead > 0, "\(live) live, \(dead) dead")
    for (index, dictionary) in atlas.dictionaries.enumerated() {
      let pairs = reference.values[index].reduce(0) { $0 + $1.count { $0 > 0 } }
      #expect(dictionary.l0 == Double(pairs) / Double(reference.tokens.count))
    }
  }

  @Test func examplesAreThoseOfTheDenseTable() throws {
    var sampled = 0
    try each { index, feature, key in
      expectEqual(try atlas.examples(key, .top), reference.top(index, feature), "top of \(key)")
      for (bin, interval) in try atlas.feature(key).intervals.enumerated() {
        let found = try atlas.examples(key, .interval(bin))
        sampled += found.count
        expectEqual(
          found, reference.examples(index, feature, in: interval.lower...interval.upper), "\(key) interval \(bin)")
      }
    }
    #expect(sampled > 100)
  }

  @Test func partnersAreThoseThatMeet() throws {
    var told = 0
    try each { index, feature, key in
      let on = tiny.dictionaries[index].shape.totalWidth
      let own = Set(reference.active(index, feature))
      var expected: [(feature: Int, value: Double, tokens: Int)] = []
      for other in 0..<on where other != feature {
        let both = own.intersection(reference.active(index, other)).count
        guard both >= 3 else { continue }
        let either = own.count + reference.active(index, other).count - both
        expected.append((other, Double(both) / Double(either), both))
      }
      expected.sort { (-$0.value, $0.feature) < (-$1.value, $1.feature) }
      let found = try atlas.feature(key).coactive
      #expect(found.map(\.value) == expected.prefix(10).map(\.value), "\(key)")
      #expect(found.map { $0.tokens ?? -1 } == expected.prefix(10).map(\.tokens))
      let width = tiny.dictionaries[index].shape.width
      #expect(found.map(\.key.index) == expected.prefix(10).map { $0.feature % width })
      told += found.count
    }
    #expect(told > 100)
  }

  @Test func thePoolHoldsTheWindowsOfSmallestHash() throws {
    let options = TinyAtlas.options
    var windows: [(hash: UInt64, sequence: Int, start: Int)] = []
    for (sequence, counted) in reference.counted.enumerated() {
      var position = 0
      while position + 10 <= reference.ids[sequence].count {
        if (position..<position + 10).allSatisfy(counted.contains) {
          windows.append((ReferenceHash.of(options.seed, 3, sequence, position), sequence, position))
          position += 10
        } else {
          position += 1
        }
      }
    }
    let queue = try DatabaseQueue(path: atlas.url.path)
    for split in 0...1 {
      let expected = windows.filter { ReferenceHash.of(options.seed, 2, $0.sequence) & 1 == split }
        .sorted { $0.hash < $1.hash }.prefix(options.poolWindows)
      let rows = try queue.read {
        try Row.fetchAll($0, sql: "SELECT * FROM pool_window WHERE split = ? ORDER BY id", arguments: [split])
      }
      #expect(rows.map { $0["sequence_id"] as Int } == expected.map(\.sequence))
      #expect(rows.map { $0["start"] as Int } == expected.map(\.start))
      #expect(rows.count == options.poolWindows && rows.allSatisfy { $0["length"] == 10 })
      for row in rows {
        for index in tiny.dictionaries.indices {
          let bits = try #require(
            try queue.read {
              try Data.fetchOne(
                $0, sql: "SELECT bits FROM pool_active WHERE window_id = ? AND dictionary_id = ?",
                arguments: [row["id"] as Int, index])
            })
          for feature in reference.values[index].indices {
            let isActive = reference.active(index, feature).contains {
              let token = reference.tokens[$0]
              let start: Int = row["start"]
              return token.sequence == row["sequence_id"] && start..<start + 10 ~= token.position
            }
            #expect((bits[feature / 8] >> (feature % 8) & 1 == 1) == isActive)
          }
        }
      }
    }
  }

  @Test func theAtlasIsSound() throws {
    let check = try atlas.check()
    #expect(check.faults.isEmpty, "\(check.faults)")
    #expect(check.features == tiny.dictionaries.reduce(0) { $0 + $1.shape.totalWidth })
    let again = try atlas.recount(tokens: 400, model: tiny.model, dictionaries: tiny.dictionaries)
    #expect(again.differing == 0 && again.examples > 100 && again.tokens >= 400, "\(again)")
  }
}
