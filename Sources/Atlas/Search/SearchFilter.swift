public import Sites

/// Which features a search may find. All may that no member excludes.
public struct SearchFilter: Equatable, Sendable {
  /// Only those that read this site.
  public var site: Site?
  /// Only those with a label of at least this balanced accuracy in detection by any judge, from 0 to 1; such a label is
  /// then shown.
  public var minimumScore: Double?
  /// Only those that are on at this share of the tokens at most, from 0 to 1: what is on nearly everywhere often lies
  /// near to any direction, and says little.
  public var maximumRate: Double?

  /// Excludes what the arguments say.
  public init(site: Site? = nil, minimumScore: Double? = nil, maximumRate: Double? = nil) {
    self.site = site
    self.minimumScore = minimumScore
    self.maximumRate = maximumRate
  }

  /// - Throws: `AtlasError.option`.
  func validate() throws {
    for (name, value) in [("min-score", minimumScore), ("max-rate", maximumRate)] {
      if let value, !(0...1 ~= value) {
        throw AtlasError.option(name: name, reason: "is \(value), expected a number from 0 to 1")
      }
    }
  }
}
