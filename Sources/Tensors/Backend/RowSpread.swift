/// How the values of one row are spread.
public struct RowSpread: Equatable, Sendable {
  public struct Entry: Equatable, Sendable {
    public let index: Int
    public let value: Float

    public init(index: Int, value: Float) {
      self.index = index
      self.value = value
    }
  }

  /// Largest first, equal values by lower index first.
  public let top: [Entry]
  /// Smallest first, equal values by lower index first.
  public let bottom: [Entry]
  /// How many values lie in each part of equal width from the smallest to the largest; the last part has its upper end.
  public let counts: [UInt32]

  public init(top: [Entry], bottom: [Entry], counts: [UInt32]) {
    self.top = top
    self.bottom = bottom
    self.counts = counts
  }
}
