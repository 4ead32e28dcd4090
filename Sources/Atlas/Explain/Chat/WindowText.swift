import Checkpoints

/// Windows as a model is shown them.
package enum WindowText {
  /// Stretches of marked tokens stand between these. What looks like them in the text itself is written otherwise.
  static let (opening, closing) = ("<<", ">>")

  /// A window as a JSON string: no text can end its own line or quotation.
  package static func shown(_ pieces: [String], marks: [Int]) -> String {
    var text = ""
    let marked = Set(marks)
    var i = 0
    while i < pieces.count {
      let isMarked = marked.contains(i)
      var stretch: [String] = []
      while i < pieces.count, marked.contains(i) == isMarked {
        stretch.append(pieces[i])
        i += 1
      }
      let plain = escaped(TokenText.text(stretch))
      guard isMarked else {
        text += plain
        continue
      }
      // A space before the word stands outside the marks.
      let spaces = plain.prefix { $0 == " " }
      let hasWord = spaces.count < plain.count
      text += hasWord ? spaces + opening + plain.dropFirst(spaces.count) + closing : opening + plain + closing
    }
    return JSONText.quoted(text)
  }

  private static func escaped(_ text: String) -> String {
    guard text.contains("<<") || text.contains(">>") else { return text }
    return String(text.map { $0 == "<" ? "‹" : $0 == ">" ? "›" : $0 })
  }
}
