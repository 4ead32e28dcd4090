/// Texts to tell from one another: positives and equally many negatives, to train on and to test with.
package struct ProbeTask: Sendable {
  package struct Split: Sendable {
    /// Places of the texts, positives first.
    package let rows: [Int]
    package let labels: [Bool]

    package init(positives: [Int], negatives: [Int]) {
      rows = positives + negatives
      labels = positives.map { _ in true } + negatives.map { _ in false }
    }
  }

  package let train, test: Split

  package init(train: Split, test: Split) { (self.train, self.test) = (train, test) }

  /// A class against the others. Negatives come from every other class alike and are drawn once for a seed: whatever is
  /// compared sees the same texts. As many of each as there are of the fewer.
  package static func oneVersusRest(
    _ texts: LabelledTexts, label: String, class name: String, seed: UInt64
  ) throws -> ProbeTask {
    let others = try texts.classes(of: label).filter { $0 != name }
    guard !others.isEmpty else {
      throw EvaluationError.texts(path: texts.path, reason: "label '\(label)' has one class only, '\(name)'")
    }
    func split(isTest: Bool) -> Split {
      func drawn(_ other: String) -> [Int] {
        texts.drawn(texts.rows(label, other, isTest: isTest), seed: seed, for: "\(label)=\(name)")
      }
      let positives = drawn(name)
      let share = (positives.count + others.count - 1) / others.count
      let negatives = texts.drawn(others.flatMap { drawn($0).prefix(share) }, seed: seed, for: "not \(label)=\(name)")
      let count = min(positives.count, negatives.count)
      return Split(positives: Array(positives.prefix(count)), negatives: Array(negatives.prefix(count)))
    }
    return ProbeTask(train: split(isTest: false), test: split(isTest: true))
  }

  /// The tasks of a label, by class. Of two classes each is the other's rest, so there is one task.
  static func all(
    _ texts: LabelledTexts, label: String, seed: UInt64
  ) throws -> [(name: String, task: ProbeTask)] {
    let classes = try texts.classes(of: label)
    return try (classes.count == 2 ? Array(classes.suffix(1)) : classes).map {
      ($0, try oneVersusRest(texts, label: label, class: $0, seed: seed))
    }
  }
}
