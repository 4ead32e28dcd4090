public import Sites

/// Which activations a pass of the model gives, and how it is run.
public struct HarvestOptions: Codable, Equatable, Sendable {
  /// Drops tokens whose activation has an outlying norm: attention sinks, which would fill a dictionary with themselves.
  public struct NormFilter: Codable, Equatable, Sendable {
    /// Where the norm is measured; need not be one of the sites streamed.
    public var site: Site
    /// A token is dropped at every site when its norm is more than this many times the median of its batch.
    public var factor: Double

    public init(site: Site, factor: Double = 10) {
      self.site = site
      self.factor = factor
    }
  }

  public var packing: PackingOptions
  /// Sequences that go through the model at once. Results may differ in the last bits for another number.
  public var batch: Int
  public var normFilter: NormFilter?

  enum CodingKeys: String, CodingKey {
    case packing, batch
    case normFilter = "norm_filter"
  }

  public init(packing: PackingOptions = PackingOptions(), batch: Int = 8, normFilter: NormFilter? = nil) {
    self.packing = packing
    self.batch = batch
    self.normFilter = normFilter
  }

  func validate() throws {
    try packing.validate()
    guard 1...1 << 16 ~= batch else {
      throw ActivationError.option(name: "batch", reason: "is \(batch), expected 1 to \(1 << 16)")
    }
    if let normFilter, !(normFilter.factor >= 1 && normFilter.factor.isFinite) {
      throw ActivationError.option(name: "norm filter", reason: "is \(normFilter.factor), expected 1 or more")
    }
  }
}
