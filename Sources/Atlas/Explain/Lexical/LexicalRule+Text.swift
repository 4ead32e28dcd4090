/// The sentence of a rule, such as `on “knives”, “swords” after “stone” in text with “axe”, “flint”`. Writing a rule and
/// reading the sentence give the rule again.
extension LexicalRule where Token == String {
  /// The rule as a part of a sentence; empty where it claims nothing.
  package var text: String {
    let clauses = [("on", tokens), ("after", after), ("before", before), ("in text with", words)]
    return clauses.filter { !$0.1.isEmpty }.map { word, tokens in
      word + " " + tokens.map(LexicalText.quoted).joined(separator: ", ")
    }.joined(separator: " ")
  }

  /// What a label claims: its quoted strings, each under the last of the words `on`, `after`, `before`, `with` that
  /// stands before it outside quotes. What follows a semicolon is not a claim about where the feature fires.
  package init(label: String) {
    self.init()
    var clause = \Self.tokens
    for part in LexicalText.parts(label) {
      switch part {
      case .plain(let text):
        let (claim, isLast) = (text.prefix { $0 != ";" }, text.contains(";"))
        for word in claim.split(whereSeparator: { !$0.isLetter }) {
          switch word.lowercased() {
          case "on": clause = \.tokens
          case "after": clause = \.after
          case "before": clause = \.before
          case "with": clause = \.words
          default: break
          }
        }
        if isLast { return }
      case .quoted(let text):
        let token = TokenText.bare(text)
        if !token.isEmpty, !self[keyPath: clause].contains(token) { self[keyPath: clause].append(token) }
      }
    }
  }
}

/// Quoted strings in labels.
enum LexicalText {
  enum Part: Equatable { case plain(String), quoted(String) }

  /// `text` in quotation marks, what would end the string or the line written with a backslash.
  static func quoted(_ text: String) -> String {
    var out = "“"
    for scalar in text.unicodeScalars {
      switch scalar {
      case "“", "”", "\"", "\\": out += "\\" + String(scalar)
      case "\n": out += "\\n"
      case "\r": out += "\\r"
      case "\t": out += "\\t"
      default: out.unicodeScalars.append(scalar)
      }
    }
    return out + "”"
  }

  /// A label as strings in quotation marks, curly or straight, and the text between them. A string that does not end
  /// is plain text.
  static func parts(_ label: String) -> [Part] {
    let scalars = Array(label.unicodeScalars)
    var parts: [Part] = []
    var plain = String.UnicodeScalarView()
    var i = 0
    while i < scalars.count {
      if scalars[i] == "“" || scalars[i] == "\"", let (text, end) = string(scalars, from: i) {
        if !plain.isEmpty { parts.append(.plain(String(plain))) }
        plain = String.UnicodeScalarView()
        parts.append(.quoted(text))
        i = end
      } else {
        plain.append(scalars[i])
        i += 1
      }
    }
    return plain.isEmpty ? parts : parts + [.plain(String(plain))]
  }

  /// The string that begins with the mark at `start`, and where the text goes on.
  private static func string(_ scalars: [Unicode.Scalar], from start: Int) -> (String, Int)? {
    let end: Unicode.Scalar = scalars[start] == "“" ? "”" : "\""
    var text = String.UnicodeScalarView()
    var i = start + 1
    while i < scalars.count {
      if scalars[i] == end { return (String(text), i + 1) }
      if scalars[i] == "\\", i + 1 < scalars.count {
        i += 1
        switch scalars[i] {
        case "n": text.append("\n")
        case "r": text.append("\r")
        case "t": text.append("\t")
        default: text.append(scalars[i])
        }
      } else {
        text.append(scalars[i])
      }
      i += 1
    }
    return nil
  }
}
