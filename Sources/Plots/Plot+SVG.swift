import Foundation

extension Plot {
  private static let size = (width: 720.0, height: 360.0)
  private static let margin = (left: 72.0, right: 24.0, top: 44.0, bottom: 52.0)
  /// Told apart by people who do not see all colours alike (Okabe and Ito).
  private static let colours = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"]

  /// A self-contained SVG picture.
  public var svg: String {
    let frame = Frame(self)
    var out = """
      <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(Self.text(Self.size.width)) \(Self.text(Self.size.height))" \
      font-family="system-ui, sans-serif" font-size="12" role="img">
      <title>\(Markup.escaped(title))</title>
      <rect width="100%" height="100%" fill="#ffffff"/>
      <text x="\(Self.text(Self.margin.left))" y="22" font-size="15" font-weight="600" fill="#222222">\
      \(Markup.escaped(title))</text>

      """
    out += grid(frame)
    for (index, series) in series.enumerated() {
      out += marks(series, colour: Self.colours[index % Self.colours.count], frame)
    }
    out += legend
    return out + "</svg>\n"
  }

  /// The rectangle of the axes, and where values lie in it.
  struct Frame {
    let x: ClosedRange<Double>
    let y: ClosedRange<Double>
    let left = Plot.margin.left
    let right = Plot.size.width - Plot.margin.right
    let top = Plot.margin.top
    let bottom = Plot.size.height - Plot.margin.bottom

    init(_ plot: Plot) {
      var (xs, ys): ([Double], [Double]) = ([], [])
      for series in plot.series {
        for point in series.points where point.isFinite {
          xs.append(point.x)
          ys.append(point.y)
          if let interval = point.interval { ys += [interval.lowerBound, interval.upperBound].filter(\.isFinite) }
          if case .bars(let width) = series.style {
            xs += [point.x - width / 2, point.x + width / 2]
            ys.append(0)
          }
        }
      }
      func range(_ values: [Double], zero: Bool) -> ClosedRange<Double> {
        let low = min(values.min() ?? 0, zero ? 0 : .infinity)
        let high = max(values.max() ?? 1, zero ? 0 : -.infinity)
        guard high > low else { return low...(low + max(abs(low), 1)) }
        // Values that hardly differ keep their place among each other, and no noise is drawn large.
        let magnitude = max(abs(low), abs(high))
        if high - low < 0.05 * magnitude { return (low - 0.1 * magnitude)...(high + 0.1 * magnitude) }
        return low...(high + (high - low) * 0.04)
      }
      x = range(xs, zero: false)
      y = range(ys, zero: plot.includesZero)
    }

    func place(x value: Double) -> Double {
      left + (value - x.lowerBound) / (x.upperBound - x.lowerBound) * (right - left)
    }
    func place(y value: Double) -> Double {
      bottom - (value - y.lowerBound) / (y.upperBound - y.lowerBound) * (bottom - top)
    }
  }

  private func grid(_ frame: Frame) -> String {
    let (left, right) = (Self.text(frame.left), Self.text(frame.right))
    let bottom = Self.text(frame.bottom)
    var out = "<g stroke=\"#dddddd\" stroke-width=\"1\" fill=\"#444444\">\n"
    let yTicks = Ticks(frame.y.lowerBound, frame.y.upperBound, count: 6)
    for value in yTicks.values {
      let y = frame.place(y: value)
      out += "<line x1=\"\(left)\" x2=\"\(right)\" y1=\"\(Self.text(y))\" y2=\"\(Self.text(y))\"/>\n"
      out += "<text x=\"\(Self.text(frame.left - 8))\" y=\"\(Self.text(y + 4))\" text-anchor=\"end\" stroke=\"none\">"
      out += "\(Self.label(value, decimals: yTicks.decimals))</text>\n"
    }
    let xTicks = Ticks(frame.x.lowerBound, frame.x.upperBound, count: 7)
    for value in xTicks.values {
      let x = Self.text(frame.place(x: value))
      out += "<line x1=\"\(x)\" x2=\"\(x)\" y1=\"\(bottom)\" y2=\"\(Self.text(frame.bottom + 5))\"/>\n"
      out += "<text x=\"\(x)\" y=\"\(Self.text(frame.bottom + 19))\" text-anchor=\"middle\" stroke=\"none\">"
      out += "\(Self.label(value, decimals: xTicks.decimals))</text>\n"
    }
    out += "<line x1=\"\(left)\" x2=\"\(right)\" y1=\"\(bottom)\" y2=\"\(bottom)\" stroke=\"#888888\"/>\n</g>\n"
    let middle = Self.text((frame.top + frame.bottom) / 2)
    out += "<text x=\"\(Self.text((frame.left + frame.right) / 2))\" y=\"\(Self.text(frame.bottom + 40))\" "
    out += "text-anchor=\"middle\" fill=\"#444444\">\(Markup.escaped(xLabel))</text>\n"
    out += "<text x=\"18\" y=\"\(middle)\" transform=\"rotate(-90 18 \(middle))\" text-anchor=\"middle\" "
    return out + "fill=\"#444444\">\(Markup.escaped(yLabel))</text>\n"
  }

  private var legend: String {
    guard series.count > 1 else { return "" }
    var out = ""
    for (index, series) in series.enumerated() {
      let y = Self.margin.top + 12 + Double(index) * 17
      let x = Self.size.width - Self.margin.right - 200
      out +=
        "<line x1=\"\(Self.text(x))\" x2=\"\(Self.text(x + 18))\" y1=\"\(Self.text(y - 4))\" y2=\"\(Self.text(y - 4))\" "
      out += "stroke=\"\(Self.colours[index % Self.colours.count])\" stroke-width=\"3\"/>\n"
      out +=
        "<text x=\"\(Self.text(x + 24))\" y=\"\(Self.text(y))\" fill=\"#222222\">\(Markup.escaped(series.label))</text>\n"
    }
    return out
  }

  /// `1.5M`, `20k`, or fixed decimals.
  static func label(_ value: Double, decimals: Int) -> String {
    let size = abs(value)
    for (factor, unit) in [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")] where size >= factor * 0.9999 {
      return text(value / factor) + unit
    }
    return String(format: "%.\(decimals)f", value == 0 ? 0 : value)
  }

  /// At most two decimals, none that are zero.
  static func text(_ number: Double) -> String {
    let rounded = (number * 100).rounded() / 100
    return Int(exactly: rounded).map(String.init)
      ?? String(format: rounded * 10 == (rounded * 10).rounded() ? "%.1f" : "%.2f", rounded)
  }
}
