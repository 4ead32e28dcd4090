import Dictionaries
import Evaluation
import Foundation
import TestSupport
import Tensors
import Testing

@Suite struct SplittingTests {
  private let backend: NativeBackend
  /// Four directions; the second set holds two near the first, the second itself, one at 0.6 of the third, none of the
  /// fourth, and two that are new.
  private static let parents: [[Float]] = (0..<4).map { i in (0..<8).map { $0 == i ? 1 : 0 } }
  private static let children: [[Float]] = [
    [0.8, 0, 0, 0, 0.6, 0, 0, 0], [0, 2, 0, 0, 0, 0, 0, 0], [0.95, 0, 0, 0, 0, 0.3122499, 0, 0],
    [0, 0, 0.6, 0, 0, 0, 0.8, 0], [0, 0, 0, 0, 0, 0, 0, 1], [0, 0, 0, 0.1, 0, 0, 0.9949874, 0],
  ]

  init() throws { backend = try NativeBackend(threads: 2) }

  private func expectPlanted(_ found: Splitting, offset: Int) throws {
    #expect(found.parents == 4 && found.children == 6)
    #expect(found.parentOfChild.map(\.feature) == (0..<6).map { $0 + offset })
    #expect([0, 1, 2, 3].allSatisfy { [0, 1, 0, 2][$0] == found.parentOfChild[$0].nearest })
    #expect(found.nearestChild.prefix(3).map(\.nearest) == [2, 1, 3].map { $0 + offset })
    let figures = found.figures
    #expect(figures.map(\.threshold) == [0.5, 0.7, 0.9])
    // At 0.5: families {0: two, 1: one, 2: one}; at 0.7: {0: two, 1: one}; at 0.9: {0: one, 1: one}.
    let sizes: [Double?] = [4.0 / 3, 1.5, 1]
    let novel: [Double?] = [2, 3, 4].map { $0 / 6 }
    #expect(figures.map(\.meanChildren) == sizes)
    #expect(figures.map(\.splitShare) == [0.25, 0.25, 0])
    #expect(figures.map(\.novelShare) == novel)
    #expect(figures.map(\.keptShare) == [0.75, 0.5, 0.5])
    let families = found.families(at: 0.7)
    #expect(families.map(\.parent) == [0, 1])
    #expect(families.map(\.children) == [[offset, 2 + offset], [1 + offset]])
  }

  @Test func plantedSplits() throws {
    let a = try MadeDictionary.open(MadeDictionary.tied(Self.parents), backend: backend)
    let b = try MadeDictionary.open(MadeDictionary.tied(Self.children), backend: backend)
    try expectPlanted(try Splitting(parents: a, children: b), offset: 0)
    // The same as prefix and rest of one dictionary.
    let both = try MadeDictionary.open(MadeDictionary.tied(Self.parents + Self.children), backend: backend)
    try expectPlanted(try Splitting(prefix: 4, of: both), offset: 4)
  }

  /// Features that never fire take no part.
  @Test func deadFeaturesAreLeftOut() throws {
    let both = try MadeDictionary.open(MadeDictionary.tied(Self.parents + Self.children), backend: backend)
    // Without child 0 of the first, and without the fourth parent.
    let counts = (0..<10).map { [3, 4].contains($0) ? 0 : 5 }
    let found = try Splitting(prefix: 4, of: both, density: ConsistencyTests.density(both.shape, counts))
    #expect(found.parents == 3 && found.children == 5)
    #expect(found.figures(at: 0.7).splitShare == 0 && found.figures(at: 0.7).keptShare == 2.0 / 3)
    #expect(found.families(at: 0.7).map(\.children) == [[6], [5]])
    let dead = try ConsistencyTests.density(both.shape, (0..<10).map { $0 < 4 ? 0 : 5 })
    let orphans = try Splitting(prefix: 4, of: both, density: dead)
    let figures = orphans.figures(at: 0.5)
    #expect(figures.meanChildren == nil && figures.splitShare == nil && figures.novelShare == nil)
    #expect(orphans.parentOfChild.isEmpty)
  }

  @Test func whatDoesNotFitIsNamed() throws {
    let a = try MadeDictionary.open(MadeDictionary.tied(Self.parents), backend: backend)
    let elsewhere = try MadeDictionary.open(MadeDictionary.tied(Self.children, layer: 6), backend: backend)
    #expect(throws: EvaluationError.self) { try Splitting(parents: a, children: elsewhere) }
    for prefix in [-1, 0, 4, 5] { #expect(throws: EvaluationError.self) { try Splitting(prefix: prefix, of: a) } }
    #expect(throws: EvaluationError.self) { try ConditionalFiring([(1, [2]), (1, [3])]) }
    #expect(throws: EvaluationError.self) { try ConditionalFiring([(1, [2]), (4, [2])]) }
    var firing = try ConditionalFiring([(1, [2])], read: 1)
    let code = try DictionaryCode([SparseCode(emptyRows: 3)])
    #expect(throws: EvaluationError.self) { try firing.add(parents: code, children: code, rows: [0]) }
  }

  /// Counts against plain loops over tokens, and the ratios with their intervals.
  @Test func conditionalFiring() throws {
    let made = try MadeUpSequences(seed: 21, lengths: [40, 9, 25], reads: 2, features: 7, width: 2)
    let families = [(parent: 0, children: [1, 5]), (parent: 6, children: [2]), (parent: 3, children: [])]
    var found = try ConditionalFiring(families, read: 1)
    var (parents, parentsTogether, children, childrenTogether) = ([0, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0])
    for item in made.items {
      let other = try DictionaryCode([item.code.layers[1], item.code.layers[0]])
      try found.add(parents: item.code, children: other, rows: item.rows)
      for row in item.rows {
        for (place, family) in families.enumerated() {
          let fires = item.code.layers[1].activation(ofFeature: family.parent, inRow: row) > 0
          let firing = family.children.count { other.layers[1].activation(ofFeature: $0, inRow: row) > 0 }
          if fires { parents[place] += 1 }
          if fires && firing > 0 { parentsTogether[place] += 1 }
          children[place] += firing
          if fires { childrenTogether[place] += firing }
        }
      }
    }
    #expect(found.families.map(\.parent.firings) == parents)
    #expect(found.families.map(\.parent.together) == parentsTogether)
    #expect(found.families.map { $0.children.reduce(0) { $0 + $1.firings } } == children)
    #expect(found.families.map { $0.children.reduce(0) { $0 + $1.together } } == childrenTogether)
    #expect(found.families[2].parent.share == 0 && found.tokens == made.items.reduce(0) { $0 + $1.rows.count })
    let all = Double(parents.reduce(0, +))
    #expect(found.childGivenParent.value == Double(parentsTogether.reduce(0, +)) / all)
    #expect(
      found.parentGivenChild.value == Double(childrenTogether.reduce(0, +)) / Double(children.reduce(0, +)))
    #expect(found.childGivenParent.groups == 3 && found.childGivenParent.low != nil)
    #expect(try ConditionalFiring(families).parentGivenChild.value == nil)
    #expect(try ConditionalFiring(families).families[0].parent.share == nil)
  }
}
