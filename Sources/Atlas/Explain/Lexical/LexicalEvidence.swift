/// A feature's windows as numbers of tokens, so that many rules can be tried on them quickly.
package struct LexicalEvidence {
  /// A window in which the feature fires, its strongest token and what stands beside it.
  struct Example {
    let tokens: [Int]
    let peak: Int
    let activation: Float

    var token: Int { tokens[peak] }
    var previous: Int? { peak > 0 ? tokens[peak - 1] : nil }
    var next: Int? { peak + 1 < tokens.count ? tokens[peak + 1] : nil }
  }

  private(set) var examples: [Example] = []
  private(set) var negatives: [[Int]] = []
  /// The tokens that the numbers stand for, as labels spell them.
  package private(set) var names: [String] = []

  package init(examples: [TokenWindow], negatives: [TokenWindow]) {
    var numbers: [String: Int] = [:]
    // Most tokens come more than once; spelling one out costs far more than looking it up.
    var byPiece: [String: Int] = [:]
    func tokens(_ window: TokenWindow, _ names: inout [String]) -> [Int] {
      window.pieces.map { piece in
        if let known = byPiece[piece] { return known }
        let name = TokenText.normalised(piece)
        let number = numbers[name] ?? names.count
        if number == names.count {
          names.append(name)
          numbers[name] = number
        }
        byPiece[piece] = number
        return number
      }
    }
    for window in examples {
      let peak = window.peak
      self.examples.append(
        Example(tokens: tokens(window, &names), peak: peak, activation: window.activations[peak]))
    }
    for window in negatives { self.negatives.append(tokens(window, &names)) }
  }

  /// Balanced accuracy of a rule; nil without examples or without negatives.
  func balancedAccuracy(_ rule: LexicalRule<Int>) -> Double? {
    guard !examples.isEmpty, !negatives.isEmpty else { return nil }
    let found = examples.count { rule.fires(in: $0.tokens) }
    let silent = negatives.count { !rule.fires(in: $0) }
    return (Double(found) / Double(examples.count) + Double(silent) / Double(negatives.count)) / 2
  }

  /// The fewest tokens, at most `limit`, that together are those of at least `share` of the examples; nil where so few
  /// are not enough. `token` says which token of an example is meant; examples where it says nil count as not covered.
  func cover(share: Double, limit: Int, _ token: (Example) -> Int?) -> [Int]? {
    let needed = share * Double(examples.count)
    var (chosen, covered) = ([Int](), 0)
    for (token, count) in ranked(token).prefix(limit) where Double(covered) < needed {
      chosen.append(token)
      covered += count
    }
    return !chosen.isEmpty && Double(covered) >= needed ? chosen : nil
  }

  /// Tokens by the number of examples that have them, ties by their activations, then by spelling.
  func ranked(_ token: (Example) -> Int?) -> [(token: Int, count: Int)] {
    var sums: [Int: (count: Int, activation: Float)] = [:]
    for example in examples {
      guard let token = token(example) else { continue }
      let sum = sums[token] ?? (0, 0)
      sums[token] = (sum.count + 1, sum.activation + example.activation)
    }
    return sums.sorted { a, b in
      (-a.value.count, -a.value.activation, names[a.key]) < (-b.value.count, -b.value.activation, names[b.key])
    }.map { ($0.key, $0.value.count) }
  }
}
