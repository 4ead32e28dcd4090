/// A concept with two sides: two classes of a label.
public struct Concept: Hashable, Sendable {
  public let label: String
  public let positive: String
  public let negative: String

  public init(_ label: String, positive: String, negative: String) {
    (self.label, self.positive, self.negative) = (label, positive, negative)
  }
}

/// The texts that two concepts are told by: each alone, balanced in the other, and both at once, perfectly confounded.
package struct ConceptDraw: Sendable {
  /// Positives and negatives of a, balanced in b.
  package let a: ProbeTask.Split
  /// Positives and negatives of b, balanced in a.
  package let b: ProbeTask.Split
  /// a₊b₊ against a₋b₋.
  package let confounded: ProbeTask.Split
  /// Test texts, as many of each quadrant, and their sides.
  package let test: [Int]
  package let testA, testB: [Bool]
  /// Texts of each quadrant, in a and b (twice as many where confounded) and for testing.
  package let trainQuadrant, testQuadrant: Int

  /// Fewest texts of a quadrant that are used.
  static let minimum = 10

  /// - Parameters:
  ///   - train: rows of the quadrants a₊b₊, a₊b₋, a₋b₊, a₋b₋ to train on.
  ///   - test: the same to test with.
  /// - Throws: `EvaluationError.shape` for another number of quadrants.
  package init(train: [[Int]], test: [[Int]]) throws {
    guard train.count == 4, test.count == 4 else {
      throw EvaluationError.shape(what: "quadrants", expected: "4", found: "\(train.count) and \(test.count)")
    }
    let q = min(train[0].count / 2, train[1].count, train[2].count, train[3].count / 2)
    let t = test.map(\.count).min() ?? 0
    let quarters = train.map { Array($0.prefix(q)) }
    a = ProbeTask.Split(positives: quarters[0] + quarters[1], negatives: quarters[2] + quarters[3])
    b = ProbeTask.Split(positives: quarters[0] + quarters[2], negatives: quarters[1] + quarters[3])
    confounded = ProbeTask.Split(
      positives: Array(train[0].prefix(2 * q)), negatives: Array(train[3].prefix(2 * q)))
    self.test = test.flatMap { $0.prefix(t) }
    testA = (0..<4 * t).map { $0 < 2 * t }
    testB = (0..<4 * t).map { $0 / max(t, 1) % 2 == 0 }
    (trainQuadrant, testQuadrant) = (q, t)
  }

  /// Draws from a set of texts.
  /// - Throws: `EvaluationError.texts` where a quadrant has too few, `.option` for a concept of one side.
  package init(_ texts: LabelledTexts, _ a: Concept, _ b: Concept, seed: UInt64) throws {
    for concept in [a, b] where concept.positive == concept.negative {
      throw EvaluationError.option(
        name: "concept", reason: "both sides of \(concept.label) are '\(concept.positive)', expected two classes")
    }
    func quadrants(isTest: Bool) throws -> [[Int]] {
      try [(a.positive, b.positive), (a.positive, b.negative), (a.negative, b.positive), (a.negative, b.negative)].map {
        let other = Set(texts.rows(b.label, $1, isTest: isTest))
        let rows = texts.rows(a.label, $0, isTest: isTest).filter(other.contains)
        // Confounded texts are drawn from twice as many.
        let needed = !isTest && ($0, $1) != (a.positive, b.negative) && ($0, $1) != (a.negative, b.positive)
          ? 2 * Self.minimum : Self.minimum
        guard rows.count >= needed else {
          throw EvaluationError.texts(
            path: texts.path,
            reason: "\(rows.count) \(isTest ? "test" : "training") texts with \(a.label) '\($0)' and \(b.label) '\($1)'"
              + ", expected \(needed) or more")
        }
        return texts.drawn(rows, seed: seed, for: "\(a.label)=\($0) \(b.label)=\($1)")
      }
    }
    try self.init(train: quadrants(isTest: false), test: quadrants(isTest: true))
  }
}
