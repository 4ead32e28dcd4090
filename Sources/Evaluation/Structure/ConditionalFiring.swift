public import Dictionaries
import Tensors

/// Whether features that lie near each other also fire together: of parents and their children (`Splitting.families`),
/// on tokens that both dictionaries coded. Children of a parent that was split share its tokens out, so that some child
/// fires where it does and it fires where a child does. A child on whose tokens the parent is silent has taken them
/// from it.
public struct ConditionalFiring: Sendable {
  /// Tokens counted of one parent or child.
  public struct Counts: Equatable, Sendable {
    public let feature: Int
    /// Tokens on which it fires.
    public internal(set) var firings = 0
    /// Those on which the other side fires, too: of a parent some child, of a child its parent.
    public internal(set) var together = 0

    /// `together` / `firings`; nil for a feature that never fires.
    public var share: Double? { firings > 0 ? Double(together) / Double(firings) : nil }
  }

  /// What one family did.
  public struct Family: Equatable, Sendable {
    /// Its share is P(some child fires | the parent fires).
    public internal(set) var parent: Counts
    /// Their shares are P(the parent fires | the child fires).
    public internal(set) var children: [Counts]
  }

  /// Counts over all families of one sequence.
  private struct Sums: Sendable {
    var parents = 0, parentsTogether = 0, children = 0, childrenTogether = 0
  }

  public let read: Int
  public private(set) var families: [Family]
  /// Tokens counted.
  public private(set) var tokens = 0
  private var sequences: [Sums] = []
  private let familyOfParent: [Int32: Int]
  private let placeOfChild: [Int32: (family: Int, child: Int)]

  /// - Parameters:
  ///   - families: of which both sides are told; those with two children or more, to look at splits alone.
  ///   - read: the read they belong to.
  /// - Throws: `EvaluationError.shape` for a parent or a child in two families.
  public init(_ families: [(parent: Int, children: [Int])], read: Int = 0) throws {
    var (parents, children): ([Int32: Int], [Int32: (family: Int, child: Int)]) = ([:], [:])
    func failure(_ feature: Int) -> EvaluationError {
      .shape(what: "families", expected: "each feature in one", found: "feature \(feature) again, or no feature")
    }
    for (place, family) in families.enumerated() {
      guard let parent = Int32(exactly: family.parent), parents.updateValue(place, forKey: parent) == nil else {
        throw failure(family.parent)
      }
      for (index, feature) in family.children.enumerated() {
        guard let child = Int32(exactly: feature), children.updateValue((place, index), forKey: child) == nil else {
          throw failure(feature)
        }
      }
    }
    (self.read, familyOfParent, placeOfChild) = (read, parents, children)
    self.families = families.map { family in
      Family(parent: Counts(feature: family.parent), children: family.children.map { Counts(feature: $0) })
    }
  }

  /// Adds a sequence that both dictionaries coded; of a prefix and the rest of one dictionary both codes are its own.
  /// - Throws: `EvaluationError.shape` for codes without the read or the rows.
  public mutating func add(parents: DictionaryCode, children: DictionaryCode, rows: [Int]) throws {
    guard parents.layers.indices ~= read, children.layers.indices ~= read, parents.rows == children.rows,
      rows.allSatisfy({ 0..<parents.rows ~= $0 })
    else {
      throw EvaluationError.shape(
        what: "codes of parents and children",
        expected: "codes of as many tokens with read \(read) and the rows counted",
        found: "\(parents.layers.count) reads of \(parents.rows) rows and \(children.layers.count) of \(children.rows)")
    }
    guard !rows.isEmpty else { return }
    let (ofParents, ofChildren) = (parents.layers[read], children.layers[read])
    var sums = Sums()
    // The last row on which a family's parent fired, and some child of it.
    var parentRow = [Int](repeating: -1, count: families.count)
    var childRow = parentRow
    for row in rows {
      for entry in ofParents.entries(ofRow: row) {
        guard let family = familyOfParent[ofParents.features[entry]] else { continue }
        parentRow[family] = row
        families[family].parent.firings += 1
        sums.parents += 1
      }
      for entry in ofChildren.entries(ofRow: row) {
        guard let (family, child) = placeOfChild[ofChildren.features[entry]] else { continue }
        families[family].children[child].firings += 1
        sums.children += 1
        guard parentRow[family] == row else { continue }
        families[family].children[child].together += 1
        sums.childrenTogether += 1
        guard childRow[family] != row else { continue }
        childRow[family] = row
        families[family].parent.together += 1
        sums.parentsTogether += 1
      }
    }
    tokens += rows.count
    sequences.append(sums)
  }

  /// P(some child fires | a parent fires) over the firings of all parents; no value where none fires.
  public var childGivenParent: Estimate {
    Estimate(sequences.map { Double($0.parentsTogether) }, per: sequences.map { Double($0.parents) })
  }

  /// P(its parent fires | a child fires) over the firings of all children; no value where none fires.
  public var parentGivenChild: Estimate {
    Estimate(sequences.map { Double($0.childrenTogether) }, per: sequences.map { Double($0.children) })
  }
}
