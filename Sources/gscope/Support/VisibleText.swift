/// Text made fit for a table: nothing in it moves the cursor, hides, or reorders what stands beside it.
enum VisibleText {
  /// A token's piece with spaces, line ends and control characters shown as signs.
  static func piece(_ text: String) -> String {
    var out = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case " ", "\u{2581}": out += "␣"
      case "\n": out += "⏎"
      case "\t": out += "⇥"
      case "\0"..<" ": out.unicodeScalars.append(Unicode.Scalar(0x2400 + scalar.value) ?? "?")
      case "\u{7F}": out += "␡"
      default:
        if isInvisible(scalar) {
          out += "<U+\(String(scalar.value, radix: 16, uppercase: true))>"
        } else {
          out.unicodeScalars.append(scalar)
        }
      }
    }
    return out
  }

  /// Text that a model wrote, on its way to a terminal: line ends and tabs stay, other control characters are shown.
  static func streamed(_ text: String) -> String {
    var out = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\n", "\t": out.unicodeScalars.append(scalar)
      case "\0"..<" ": out.unicodeScalars.append(Unicode.Scalar(0x2400 + scalar.value) ?? "?")
      case "\u{7F}"..."\u{9F}": out += "<U+\(String(scalar.value, radix: 16, uppercase: true))>"
      default: out.unicodeScalars.append(scalar)
      }
    }
    return out
  }

  private static func isInvisible(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .unassigned, .privateUse, .surrogate: true
    default: scalar.properties.isWhitespace
    }
  }

  /// Columns that `text` takes: two for East Asian wide characters and emoji, none for marks that combine.
  static func width(_ text: String) -> Int {
    text.unicodeScalars.reduce(0) { $0 + width($1) }
  }

  private static func width(_ scalar: Unicode.Scalar) -> Int {
    if scalar.value < 0x300 { return 1 }
    switch scalar.properties.generalCategory {
    case .nonspacingMark, .enclosingMark, .format: return 0
    default: break
    }
    switch scalar.value {
    case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F,
      0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1F64F, 0x1F680...0x1F6FF, 0x1F900...0x1F9FF, 0x20000...0x3FFFD:
      return 2
    default: return 1
    }
  }

  /// `text` cut to `columns`, its end replaced by `…` where something is missing.
  static func clipped(_ text: String, to columns: Int) -> String {
    guard width(text) > columns else { return text }
    guard columns > 1 else { return String(repeating: "…", count: max(columns, 0)) }
    var out = ""
    var used = 0
    for character in text {
      let next = width(String(character))
      guard used + next < columns else { break }
      out.append(character)
      used += next
    }
    return out + "…"
  }
}
