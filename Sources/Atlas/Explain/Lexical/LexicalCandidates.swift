extension LexicalEvidence {
  /// Rules that may describe the feature, the plainest first: its strongest tokens, those together with what stands
  /// before or behind them, the neighbours alone (a feature that says what comes next), words of the context.
  var candidates: [LexicalRule<Int>] {
    var rules: [LexicalRule<Int>] = []
    func propose(_ rule: LexicalRule<Int>) {
      if !rule.isEmpty, !rules.contains(rule) { rules.append(rule) }
    }
    let ranked = ranked(\.token).map(\.token)
    let most = cover(share: 0.8, limit: 6, \.token)
    let triggers = most ?? Array(ranked.prefix(6))
    propose(LexicalRule(tokens: triggers))
    propose(LexicalRule(tokens: Array(ranked.prefix(1))))
    propose(LexicalRule(tokens: Array(ranked.prefix(6))))

    let previous = cover(share: 0.8, limit: 4, \.previous)
    let next = cover(share: 0.8, limit: 4, \.next)
    if let previous {
      if most != nil { propose(LexicalRule(tokens: triggers, after: previous)) }
      propose(LexicalRule(after: previous))
    }
    if let next {
      if most != nil { propose(LexicalRule(tokens: triggers, before: next)) }
      propose(LexicalRule(before: next))
    }

    let words = contextWords(limit: 6)
    for count in words.indices.map({ $0 + 1 }) {
      propose(LexicalRule(words: Array(words.prefix(count))))
    }
    let others = words.filter { !triggers.contains($0) }
    for count in [1, 3, 4] where others.count >= count {
      propose(LexicalRule(tokens: triggers, words: Array(others.prefix(count))))
    }
    return rules
  }
}
