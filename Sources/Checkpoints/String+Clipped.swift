extension String {
  /// The beginning of a text that may come from a file, fit for a message: such texts may be megabytes long, or steer
  /// the terminal they are shown on. At most 500 scalars, control characters replaced by U+FFFD.
  package var clipped: String {
    var shown = ""
    for scalar in unicodeScalars.prefix(500) {
      shown.unicodeScalars.append(scalar.properties.generalCategory == .control ? "\u{FFFD}" : scalar)
    }
    return unicodeScalars.dropFirst(500).isEmpty ? shown : shown + "…"
  }
}
