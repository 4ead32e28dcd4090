public import Dictionaries
public import Gemma

/// How the features of a narrower dictionary ("parents") come back in a wider one of the same site ("children"): kept,
/// split into several, or not at all, while others are new. Told from decoder rows.
///
/// The parent of a child is the feature whose decoder row is nearest to its own, and the child is *of* it when their
/// cosine reaches a threshold. Which one is a convention; hence three.
public struct Splitting: Equatable, Sendable {
  /// A feature's nearest of the other side.
  public struct Nearest: Equatable, Sendable {
    public let feature: Int
    public let nearest: Int
    /// In −1 … 1.
    public let cosine: Double
  }

  /// The figures at one threshold.
  public struct Figures: Equatable, Sendable {
    public let threshold: Double
    /// Mean children of the parents that have one; nil where none has.
    public let meanChildren: Double?
    /// Share of the parents that have two children or more; nil without parents.
    public let splitShare: Double?
    /// Share of the children that are of no parent; nil without children or parents.
    public let novelShare: Double?
    /// Share of the parents that are near some child, be it of another; nil without children or parents.
    public let keptShare: Double?
  }

  /// The thresholds that are reported.
  public static let thresholds = [0.5, 0.7, 0.9]

  /// Features on the parents' and the children's side.
  public let parents, children: Int
  /// For each child its nearest parent, in the order of the children; none without parents.
  public let parentOfChild: [Nearest]
  /// For each parent its nearest child, alike.
  public let nearestChild: [Nearest]

  /// - Throws: `TensorError`, what `check` throws.
  public init(_ cosines: CosineMatrix, check: CancellationCheck = {}) throws {
    let (a, b) = (cosines.a, cosines.b)
    let extremes = try cosines.extremes(check: check)
    (parents, children) = (a.count, b.count)
    func nearest(_ found: [CosineMatrix.Neighbour?], _ own: UnitRows, _ other: UnitRows) -> [Nearest] {
      found.enumerated().compactMap { place, neighbour in
        neighbour.map {
          Nearest(feature: own.features[place], nearest: other.features[$0.place], cosine: Double($0.cosine))
        }
      }
    }
    parentOfChild = nearest(extremes.ofB, b, a)
    nearestChild = nearest(extremes.ofA, a, b)
  }

  /// Of two dictionaries of one site, one read of each.
  /// - Parameter densities: how often features are active; those that never are take no part. All do when nil.
  /// - Throws: `EvaluationError.shape` for dictionaries of different sites or models, `TensorError`, what `check`
  ///   throws.
  public init(
    parents a: SparseDictionary, children b: SparseDictionary, read: Int = 0,
    densities: (parents: FeatureDensity, children: FeatureDensity)? = nil, check: CancellationCheck = {}
  ) throws {
    try Comparison.check(a, b, read: read)
    if let densities {
      try Comparison.check(densities.parents, of: a)
      try Comparison.check(densities.children, of: b)
    }
    let rows = try UnitRows(decoderOf: a, read: read, features: densities?.parents.alive(read: read))
    let others = try UnitRows(decoderOf: b, read: read, features: densities?.children.alive(read: read))
    try self.init(CosineMatrix(rows, others, backend: a.backend), check: check)
  }

  /// Of the first `prefix` features of a read, as parents, and the rest of it, as a Matryoshka dictionary nests them.
  /// - Parameter density: as above.
  /// - Throws: `EvaluationError.shape` for a prefix that leaves no rest, `TensorError`, what `check` throws.
  public init(
    prefix: Int, of dictionary: SparseDictionary, read: Int = 0, density: FeatureDensity? = nil,
    check: CancellationCheck = {}
  ) throws {
    let width = dictionary.shape.width
    guard prefix > 0, prefix < width else {
      throw EvaluationError.shape(
        what: "a prefix of \(dictionary.name)", expected: "1 to \(width - 1) features", found: "\(prefix)")
    }
    if let density { try Comparison.check(density, of: dictionary) }
    let features = try density?.alive(read: read) ?? Array(0..<width)
    let rows = try UnitRows(decoderOf: dictionary, read: read, features: features.filter { $0 < prefix })
    let others = try UnitRows(decoderOf: dictionary, read: read, features: features.filter { $0 >= prefix })
    try self.init(CosineMatrix(rows, others, backend: dictionary.backend), check: check)
  }

  /// The parents that have a child at `threshold`, ascending, and their children, ascending.
  public func families(at threshold: Double) -> [(parent: Int, children: [Int])] {
    var families: [Int: [Int]] = [:]
    for child in parentOfChild where child.cosine >= threshold {
      families[child.nearest, default: []].append(child.feature)
    }
    return families.sorted { $0.key < $1.key }.map { ($0.key, $0.value.sorted()) }
  }

  /// The figures at a threshold.
  public func figures(at threshold: Double) -> Figures {
    func share(_ count: Int, of all: Int) -> Double? {
      parents > 0 && children > 0 ? Double(count) / Double(all) : nil
    }
    let sizes = families(at: threshold).map(\.children.count)
    return Figures(
      threshold: threshold, meanChildren: RowAgreement.mean(sizes.map(Double.init)),
      splitShare: parents > 0 ? Double(sizes.count { $0 > 1 }) / Double(parents) : nil,
      novelShare: share(parentOfChild.count { $0.cosine < threshold }, of: children),
      keptShare: share(nearestChild.count { $0.cosine >= threshold }, of: parents))
  }

  /// The figures at each of `thresholds`.
  public var figures: [Figures] { Self.thresholds.map(figures(at:)) }
}
