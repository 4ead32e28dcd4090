/// The windows on which a feature's label is tested: from the side of the split that no explainer sees, chosen by seed
/// and key alone.
struct HeldOutTest: Equatable, Sendable {
  struct Item: Equatable, Sendable {
    let window: TestWindow
    let fires: Bool
    let isHard: Bool
  }

  /// In the order in which they are shown; empty where too few windows are held out.
  let items: [Item]
  /// Why there are none.
  let reason: BalancedScore.Undefined?

  /// Chooses at most `count` windows of each class.
  init(_ test: LabelTest, of feature: ExplainedFeature, count: Int, seed: UInt64) {
    let positives = Self.positives(feature, count, seed)
    let negatives = Self.negatives(feature, count, seed)
    guard positives.count >= BalancedScore.fewest else {
      (items, reason) = ([], .tooFewExamples)
      return
    }
    guard negatives.count >= BalancedScore.fewest else {
      (items, reason) = ([], .tooFewNegatives)
      return
    }
    let marks = positives.map { $0.strong(Self.markedShare) }
    var items = positives.indices.map { i in
      Item(
        window: TestWindow(pieces: positives[i].pieces, marks: test == .fuzzing ? marks[i] : []), fires: true,
        isHard: false)
    }
    for (i, (window, isHard)) in negatives.enumerated() {
      let places = test == .fuzzing ? Self.placed(marks[i % marks.count], in: window.pieces.count) : []
      items.append(Item(window: TestWindow(pieces: window.pieces, marks: places), fires: false, isHard: isHard))
    }
    self.items = ChoiceOrder(seed: seed, "shown", test.rawValue, feature.key).shuffled(items)
    reason = nil
  }

  /// Tokens of at least this share of their window's largest activation are marked in fuzzing.
  static let markedShare: Float = 0.3

  /// Examples spread over the intervals of activations, in turn from each. At most half are from the largest
  /// activations while the intervals have others.
  private static func positives(_ feature: ExplainedFeature, _ count: Int, _ seed: UInt64) -> [TokenWindow] {
    let shuffled = ChoiceOrder(seed: seed, "positives", feature.key).shuffled(feature.test.examples)
    let top = shuffled.filter { $0.interval == nil }
    let intervals = Dictionary(grouping: shuffled.filter { $0.interval != nil }) { $0.interval ?? 0 }
      .sorted { $0.key < $1.key }.map(\.value)
    var spread: [TokenWindow] = []
    for turn in 0..<(intervals.map(\.count).max() ?? 0) {
      for interval in intervals where turn < interval.count { spread.append(interval[turn]) }
    }
    // One stretch of text may be an example twice: as one of the largest and in its interval.
    var (chosen, seen) = ([TokenWindow](), Set<[String]>())
    func take(_ windows: [TokenWindow], upTo limit: Int) {
      for window in windows where chosen.count < limit && seen.insert(window.pieces).inserted { chosen.append(window) }
    }
    take(top, upTo: count / 2)
    take(spread, upTo: count)
    take(top, upTo: count)
    return chosen
  }

  /// Silent windows: half of them at random, the other half hard ones as far as there are any, with a token that is the
  /// strongest of an example held out (those explained from decide nothing here).
  private static func negatives(
    _ feature: ExplainedFeature, _ count: Int, _ seed: UInt64
  ) -> [(window: TokenWindow, isHard: Bool)] {
    let triggers = Set(feature.test.examples.map { TokenText.normalised($0.pieces[$0.peak]) })
    // Tokens come again and again; spelling one out costs more than looking it up.
    var known: [String: Bool] = [:]
    func isHard(_ window: TokenWindow) -> Bool {
      window.pieces.contains { piece in
        if let known = known[piece] { return known }
        let isTrigger = triggers.contains(TokenText.normalised(piece))
        known[piece] = isTrigger
        return isTrigger
      }
    }
    let shuffled = ChoiceOrder(seed: seed, "negatives", feature.key).shuffled(feature.test.negatives)
    let random = shuffled.prefix(count - count / 2)
    var (hard, others) = ([(TokenWindow, Bool)](), [(TokenWindow, Bool)]())
    for window in shuffled.dropFirst(random.count) where hard.count < count - random.count {
      if isHard(window) { hard.append((window, true)) } else { others.append((window, false)) }
    }
    return random.map { ($0, isHard($0)) } + (hard + others).prefix(count - random.count)
  }

  /// Marks of a window where the feature fires, put at the same places of a silent one, so that places give nothing
  /// away; places beyond its end are counted from its beginning.
  private static func placed(_ marks: [Int], in count: Int) -> [Int] {
    Set(marks.map { $0 % count }).sorted()
  }
}
