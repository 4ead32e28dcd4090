/// A chart of one or several series over common axes.
public struct Plot: Sendable {
  /// How the points of a series are drawn.
  public enum Style: Equatable, Sendable {
    /// A line through them, which must come in ascending x.
    case line
    /// A disc at each.
    case points
    /// Discs with a thin line through them, in ascending x.
    case linkedPoints
    /// A bar from zero up to each, so wide in units of x.
    case bars(width: Double)

    var hasLine: Bool { self == .line || self == .linkedPoints }
    var hasDiscs: Bool { self == .points || self == .linkedPoints }
  }

  /// A point; one that is not finite is not drawn, and leaves a gap in a line.
  public struct Point: Sendable {
    public let x, y: Double
    /// Ends of an interval of y.
    public let interval: ClosedRange<Double>?
    /// Written beside it.
    public let label: String?

    public init(_ x: Double, _ y: Double, interval: ClosedRange<Double>? = nil, label: String? = nil) {
      self.x = x
      self.y = y
      self.interval = interval
      self.label = label
    }

    var isFinite: Bool { x.isFinite && y.isFinite }
  }

  public struct Series: Sendable {
    public let label: String
    public let style: Style
    public let points: [Point]

    public init(_ label: String, _ style: Style = .line, _ points: [Point]) {
      self.label = label
      self.style = style
      self.points = points
    }
  }

  public let title: String
  public let xLabel: String
  public let yLabel: String
  public let series: [Series]
  /// Whether the y axis begins at zero.
  public let includesZero: Bool

  public init(title: String, xLabel: String, yLabel: String, series: [Series], includesZero: Bool = true) {
    self.title = title
    self.xLabel = xLabel
    self.yLabel = yLabel
    self.series = series
    self.includesZero = includesZero
  }
}
