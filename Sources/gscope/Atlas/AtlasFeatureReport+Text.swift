import Atlas
import Foundation

extension AtlasFeatureReport {
  /// Prints the feature for people, with so many of its top examples.
  func show(examples: Int) throws {
    let dictionary = feature.dictionary
    try StandardOutput.line(
      TextStyle.bold.apply("\(feature.key)") + "  \(dictionary.kind), reads \(AtlasReport.sites(dictionary.reads))")
    try showLabels()
    guard let maximum = feature.maximum else {
      try StandardOutput.line("never on")
      return try showNeighbours()
    }
    let counts = feature.count.map { "at \(Format.count($0, "token"))" }
    let rate = "1 in \(Format.short(1 / max(feature.rate, .leastNormalMagnitude)))"
    let sequences = feature.sequences.map { "in \(Format.count($0, "sequence"))" }
    let mean = feature.mean.map { "mean \(Format.short($0))" }
    try StandardOutput.line(
      "on "
        + [counts, rate, sequences, mean, "maximum \(Format.short(maximum))"].compactMap { $0 }.joined(separator: ", "))
    if !feature.quantiles.isEmpty {
      let quantiles = feature.quantiles.map { "\(Int(($0.share * 100).rounded())) % \(Format.short(Double($0.value)))" }
      try StandardOutput.line("quantiles  " + quantiles.joined(separator: "   "))
      try StandardOutput.line("histogram  " + bars(feature.sketch.histogram.map(\.count)))
    }
    if let logits = feature.logits {
      func list(_ entries: [(token: AtlasToken, value: Float)]) -> String {
        entries.map { "\(VisibleText.piece($0.token.piece)) \(Format.short(Double($0.value)))" }.joined(separator: "  ")
      }
      try StandardOutput.line("raises     " + list(logits.top))
      try StandardOutput.line("lowers     " + list(logits.bottom))
    }
    try showNeighbours()
    if examples > 0, !top.isEmpty {
      try StandardOutput.line(TextStyle.bold.apply("\nlargest"))
      for example in top.prefix(examples) { try show(example) }
    }
    for (interval, list) in zip(feature.intervals, intervals).reversed() where !list.isEmpty {
      try StandardOutput.line(
        TextStyle.bold.apply(
          "\n\(Format.short(interval.lower)) to \(Format.short(interval.upper)), "
            + Format.count(interval.count, "token")
        ))
      for example in list { try show(example) }
    }
  }

  private func showNeighbours() throws {
    for (what, list) in [
      ("nearest    ", feature.nearest), ("together   ", feature.coactive), ("elsewhere  ", feature.elsewhere),
    ] where !list.isEmpty {
      let names = list.prefix(6).map { other in
        let name = other.key.dictionary == feature.key.dictionary ? "" : other.key.dictionary
        let layer = other.key.layer.map { "\($0)/" } ?? ""
        return "\(name)#\(layer)\(other.key.index) \(Format.short(other.value))"
      }
      try StandardOutput.line(what + names.joined(separator: "  "))
    }
    if let prefix = feature.prefix {
      try StandardOutput.line("nested in  the first \(Format.grouped(prefix)) features")
    }
  }

  /// Eighths of a line's height, the highest full.
  private func bars(_ counts: [Int]) -> String {
    let signs = Array("▁▂▃▄▅▆▇█")
    let most = counts.max() ?? 0
    return String(counts.map { most > 0 ? signs[min($0 * signs.count / max(most, 1), signs.count - 1)] : signs[0] })
  }

  /// One line: the activation, the effect on the next token's logit, and the text with the token in «».
  private func show(_ example: AtlasExample) throws {
    var text = ""
    var pending: [UInt8] = []
    let own = example.position - example.start
    var index = 0
    // Characters that several tokens make up together stay whole.
    while index < example.tokens.count {
      let first = index
      pending = example.tokens[index].bytes
      while String(validating: pending, as: UTF8.self) == nil, index + 1 < example.tokens.count, index - first < 3 {
        index += 1
        pending += example.tokens[index].bytes
      }
      let piece = VisibleText.piece(String(decoding: pending, as: UTF8.self)).replacing("␣", with: " ")
      let isOwn = first...index ~= own
      let isOn = (first...index).contains { example.activations[$0] > 0 }
      let trimmed = piece.drop { $0 == " " }
      let space = String(piece.prefix(piece.count - trimmed.count))
      text += isOwn ? space + TextStyle.accent.apply("«\(trimmed)»") : isOn ? TextStyle.bold.apply(piece) : piece
      index += 1
    }
    let activation = Format.short(example.activation)
    let effect = example.effect.map { ($0 < 0 ? "" : "+") + Format.short($0) } ?? ""
    func padded(_ text: String, _ width: Int) -> String {
      String(repeating: " ", count: max(0, width - text.count)) + text
    }
    try StandardOutput.line(padded(activation, 7) + padded(effect, 8) + "  " + text)
    guard let sources = example.sources else { return }
    let named = zip(example.tokens, sources.window).sorted { abs($0.1) > abs($1.1) }.prefix(3).filter { $0.1 != 0 }
      .map { "\(VisibleText.piece($0.0.piece)) \(Format.short(Double($0.1)))" }
    let outside = sources.outside.map {
      "\(VisibleText.piece($0.token.piece))@\($0.position) \(Format.short(Double($0.value)))"
    }
    let parts = named + outside + ["<bos> \(Format.short(Double(sources.begin)))"]
    try StandardOutput.line(
      String(repeating: " ", count: 17) + TextStyle.dim.apply("from " + parts.joined(separator: "  ")))
  }
}
