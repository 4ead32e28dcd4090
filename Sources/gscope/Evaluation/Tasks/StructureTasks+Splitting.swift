import Dictionaries
import Evaluation

extension StructureTasks {
  func splitting() throws -> TaskReport {
    var comparisons = try self.comparisons()
    if comparisons.contains(where: { $0.families > 0 }) {
      try run.eachSequence(of: Array(dictionaries.indices), "splitting") { codes, _, counted in
        for i in comparisons.indices where comparisons[i].families > 0 {
          let (parents, children) = (codes[comparisons[i].parents], codes[comparisons[i].children])
          try comparisons[i].firing.add(parents: parents, children: children, rows: counted)
        }
      }
    }
    return TaskReport(
      task: .splitting, title: "Splitting: how features of a narrow dictionary come back in a wide one",
      notes: ["Of features that fire, by the cosine of their decoder rows, at three thresholds."],
      tables: [
        .init(
          titles: [
            "parents and children", "cosine", "children", "split", "novel", "kept", "child if parent",
            "parent if child",
          ], rows: comparisons.flatMap(\.rows))
      ], json: .array(comparisons.map(\.json)))
  }

  /// Of all pairs of a narrow and a wide dictionary, and of the first features of each with the rest.
  private func comparisons() throws -> [SplittingComparison] {
    var found: [SplittingComparison] = []
    for (i, j) in pairs({ $0.shape.width < $1.shape.width }) {
      for read in dictionaries[i].shape.reads.indices {
        let splitting = try Splitting(
          parents: dictionaries[i], children: dictionaries[j], read: read,
          densities: (run.densities[i], run.densities[j]), check: Interruption.check)
        found.append(
          try SplittingComparison(
            "\(dictionaries[i].name) → \(dictionaries[j].name)\(place(dictionaries[i], read))", splitting, parents: i,
            children: j, read: read))
      }
    }
    for (index, dictionary) in dictionaries.enumerated() {
      for prefix in try run.options.prefixes(of: dictionary) where prefix < dictionary.shape.width {
        for read in dictionary.shape.reads.indices {
          let splitting = try Splitting(
            prefix: prefix, of: dictionary, read: read, density: run.densities[index], check: Interruption.check)
          found.append(
            try SplittingComparison(
              "first \(prefix) of \(dictionary.name)\(place(dictionary, read))", splitting, parents: index,
              children: index, read: read))
        }
      }
    }
    return found
  }
}

/// Two sets of features, one split into the other.
private struct SplittingComparison {
  let name: String
  let splitting: Splitting
  /// The dictionaries, by place.
  let parents: Int
  let children: Int
  /// Parents of two children or more.
  let families: Int
  var firing: ConditionalFiring

  /// The cosine from which a feature counts as a child.
  private static let threshold = 0.7

  init(_ name: String, _ splitting: Splitting, parents: Int, children: Int, read: Int) throws {
    let families = splitting.families(at: Self.threshold).filter { $0.children.count > 1 }
    (self.name, self.splitting, self.parents, self.children) = (name, splitting, parents, children)
    self.families = families.count
    firing = try ConditionalFiring(families, read: read)
  }

  var rows: [[String]] {
    splitting.figures.map { figures in
      let isChosen = figures.threshold == Self.threshold
      return [
        name, Format.decimal(figures.threshold, 1), Format.decimal(figures.meanChildren, 2),
        Format.percent(figures.splitShare), Format.percent(figures.novelShare), Format.percent(figures.keptShare),
        isChosen ? Format.estimate(firing.childGivenParent, 2) : "",
        isChosen ? Format.estimate(firing.parentGivenChild, 2) : "",
      ]
    }
  }

  var json: JSONValue {
    [
      "pair": .string(name), "parents": .integer(splitting.parents), "children": .integer(splitting.children),
      "figures": .array(
        splitting.figures.map {
          [
            "threshold": .double($0.threshold), "mean_children": .optional($0.meanChildren),
            "split_share": .optional($0.splitShare), "novel_share": .optional($0.novelShare),
            "kept_share": .optional($0.keptShare),
          ]
        }),
      "split_families": .integer(families), "child_given_parent": .estimate(firing.childGivenParent),
      "parent_given_child": .estimate(firing.parentGivenChild),
    ]
  }
}
