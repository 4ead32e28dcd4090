/// What a lexical label claims, over tokens of any type: strings when it is read from a label, numbers while one is
/// sought.
///
/// It fires in a window when every condition that it has is met: at some position the token is one of `tokens`, the one
/// before it one of `after`, the one behind it one of `before`; and at least two of `words` occur in the window (one,
/// where it lists one).
package struct LexicalRule<Token: Hashable & Sendable>: Equatable, Sendable {
  package var tokens, after, before, words: [Token]

  package init(tokens: [Token] = [], after: [Token] = [], before: [Token] = [], words: [Token] = []) {
    self.tokens = tokens
    self.after = after
    self.before = before
    self.words = words
  }

  /// Whether it claims anything.
  var isEmpty: Bool { tokens.isEmpty && after.isEmpty && before.isEmpty && words.isEmpty }

  /// Whether the conditions on a position and its neighbours are met there.
  func matches(_ window: [Token], at i: Int) -> Bool {
    if !tokens.isEmpty, !tokens.contains(window[i]) { return false }
    if !after.isEmpty, i == 0 || !after.contains(window[i - 1]) { return false }
    if !before.isEmpty, i + 1 == window.count || !before.contains(window[i + 1]) { return false }
    return true
  }

  /// Whether as many of the words occur as must.
  func hasContext(_ window: [Token]) -> Bool {
    var needed = min(2, words.count)
    for word in words where needed > 0 && window.contains(word) { needed -= 1 }
    return needed == 0
  }

  /// Whether it says that the feature fires somewhere in a window.
  package func fires(in window: [Token]) -> Bool {
    guard !isEmpty, hasContext(window) else { return false }
    return tokens.isEmpty && after.isEmpty && before.isEmpty || window.indices.contains { matches(window, at: $0) }
  }

  /// Whether it says that the feature fires on the tokens marked: on at least half of them, for not every token of a
  /// strong stretch is its peak.
  package func fires(in window: [Token], on marks: [Int]) -> Bool {
    guard !isEmpty, !marks.isEmpty, hasContext(window) else { return false }
    return 2 * marks.count { window.indices ~= $0 && matches(window, at: $0) } >= marks.count
  }

  /// The same rule over other tokens.
  func mapped<Other>(_ transform: (Token) -> Other) -> LexicalRule<Other> {
    LexicalRule<Other>(
      tokens: tokens.map(transform), after: after.map(transform), before: before.map(transform),
      words: words.map(transform))
  }
}
