extension Plot {
  /// The drawing of one series.
  func marks(_ series: Series, colour: String, _ frame: Frame) -> String {
    var out = ""
    if series.style.hasLine {
      let width = series.style == .line ? "1.8" : "1"
      for path in Self.paths(series.points, frame) {
        out += "<path d=\"\(path)\" fill=\"none\" stroke=\"\(colour)\" stroke-width=\"\(width)\" "
        out += "stroke-linejoin=\"round\"/>\n"
      }
    }
    for point in series.points where point.isFinite {
      if case .bars(let width) = series.style { out += Self.bar(point, width: width, colour, frame) }
      if series.style.hasDiscs { out += Self.disc(point, colour, frame) }
    }
    return out
  }

  /// A line's pieces between gaps.
  private static func paths(_ points: [Point], _ frame: Frame) -> [String] {
    var paths: [String] = []
    var path = ""
    for point in points {
      guard point.isFinite else {
        if !path.isEmpty { paths.append(path) }
        path = ""
        continue
      }
      path += path.isEmpty ? "M" : "L"
      path += "\(text(frame.place(x: point.x))) \(text(frame.place(y: point.y)))"
    }
    return path.isEmpty ? paths : paths + [path]
  }

  private static func bar(_ point: Point, width: Double, _ colour: String, _ frame: Frame) -> String {
    let left = frame.place(x: point.x - width / 2)
    let right = frame.place(x: point.x + width / 2)
    let (top, zero) = (frame.place(y: max(point.y, 0)), frame.place(y: min(point.y, 0)))
    // A hair of space between neighbours.
    return "<rect x=\"\(text(left + 0.5))\" y=\"\(text(top))\" width=\"\(text(max(right - left - 1, 0.5)))\" "
      + "height=\"\(text(max(zero - top, 0)))\" fill=\"\(colour)\">\(tip(point))</rect>\n"
  }

  private static func disc(_ point: Point, _ colour: String, _ frame: Frame) -> String {
    let (x, y) = (text(frame.place(x: point.x)), text(frame.place(y: point.y)))
    var out = ""
    if let interval = point.interval, interval.lowerBound.isFinite, interval.upperBound.isFinite {
      let (low, high) = (text(frame.place(y: interval.lowerBound)), text(frame.place(y: interval.upperBound)))
      out += "<line x1=\"\(x)\" x2=\"\(x)\" y1=\"\(low)\" y2=\"\(high)\" stroke=\"\(colour)\"/>\n"
    }
    out += "<circle cx=\"\(x)\" cy=\"\(y)\" r=\"4\" fill=\"\(colour)\">\(tip(point))</circle>\n"
    guard let label = point.label else { return out }
    // Right of the disc, or left of it where the frame ends.
    let isRight = frame.place(x: point.x) < frame.right - 90
    out += "<text x=\"\(text(frame.place(x: point.x) + (isRight ? 7 : -7)))\" y=\"\(text(frame.place(y: point.y) - 6))\" "
    return out + "text-anchor=\"\(isRight ? "start" : "end")\" font-size=\"10\" fill=\"#444444\">\(Markup.escaped(label))</text>\n"
  }

  /// What a browser shows when the pointer rests on a mark.
  private static func tip(_ point: Point) -> String {
    let label = point.label.map { Markup.escaped($0) + ": " } ?? ""
    return "<title>\(label)\(figures(point.x)), \(figures(point.y))</title>"
  }

  /// About four figures.
  private static func figures(_ number: Double) -> String {
    let size = abs(number)
    let digits = size >= 1000 ? 0 : size >= 10 ? 1 : size >= 0.1 ? 3 : 5
    return label(number, decimals: digits)
  }
}
