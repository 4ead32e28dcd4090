/// Absorption of one letter, over the test words of it that its dense probe finds.
public struct LetterAbsorption: Sendable, Equatable {
  /// Means over the words.
  public struct Rates: Sendable, Equatable {
    /// Σ fraction over words.
    public let fractions: Double
    /// Words that are fully absorbed.
    public let fullyAbsorbed: Int
    /// Words measured.
    public let words: Int

    public init(_ words: [WordAbsorption]) {
      fractions = words.reduce(0) { $0 + $1.fraction }
      fullyAbsorbed = words.count { $0.isFull }
      self.words = words.count
    }

    /// The mean fraction; nil without a word.
    public var fraction: Double? { words == 0 ? nil : fractions / Double(words) }
    /// The share of words that are fully absorbed; nil without a word.
    public var full: Double? { words == 0 ? nil : Double(fullyAbsorbed) / Double(words) }
  }

  /// 0 for a to 25 for z.
  public let letter: Int
  /// How many features the letter is split into.
  public let splitFeatures: Int
  /// With a = x·p, as published.
  public let published: Rates
  /// With a = (x − x̄)·p, x̄ the mean activation of training words. Activations of one site share most of their length;
  /// what they share is no letter's, but is part of the published a.
  public let centred: Rates

  /// - Parameters:
  ///   - projections: x·p of each word.
  ///   - mean: x̄·p.
  ///   - active: of each word, as many as `projections`.
  public init(letter: Int, own: [Int], projections: [Double], mean: Double, active: [[WordAbsorption.Active]]) {
    self.letter = letter
    splitFeatures = own.count
    let own = Set(own)
    func rates(_ origin: Double) -> Rates {
      Rates(
        zip(projections, active).map { WordAbsorption.measure(projection: $0.0 - origin, active: $0.1, own: own) })
    }
    (published, centred) = (rates(0), rates(mean))
  }
}

/// Absorption over the letters that count.
public struct AbsorptionResult: Sendable, Equatable {
  /// A figure over letters.
  public struct Summary: Sendable, Equatable {
    /// The mean over letters, as published, with an interval over letters.
    public let mean: Estimate
    /// The mean over words, with an interval over letters.
    public let overWords: Estimate
    /// The sample standard deviation over letters; nil for fewer than two.
    public let deviation: Double?

    /// - Parameter sums: of each letter its sum over words, and their number, above 0.
    init(_ sums: [(sum: Double, words: Int)]) {
      let means = sums.map { $0.sum / Double($0.words) }
      mean = Estimate(means, per: means.map { _ in 1 })
      overWords = Estimate(sums.map(\.sum), per: sums.map { Double($0.words) })
      guard let middle = mean.value, means.count > 1 else {
        deviation = nil
        return
      }
      let squares = means.reduce(0) { $0 + ($1 - middle) * ($1 - middle) }
      deviation = (squares / Double(means.count - 1)).squareRoot()
    }
  }

  /// Those that count, ascending.
  public let letters: [LetterAbsorption]
  /// Letters that count but of which the probe finds no test word: they are in no mean.
  public let lettersWithoutWords: Int
  public let fraction, full: Summary
  /// With the mean taken from the projection.
  public let centredFraction, centredFull: Summary
  /// The mean number of features a letter is split into, with an interval over letters.
  public let splitFeatures: Estimate
  /// Lengths of the decoder rows that were met; the published formulas presume 1. Nil where none was active.
  public let decoderNorms: ClosedRange<Double>?

  public init(_ letters: [LetterAbsorption], decoderNorms: ClosedRange<Double>?) {
    self.letters = letters
    self.decoderNorms = decoderNorms
    let measured = letters.filter { $0.published.words > 0 }
    lettersWithoutWords = letters.count - measured.count
    func summary(_ value: (LetterAbsorption) -> (Double, Int)) -> Summary {
      Summary(measured.map(value).map { (sum: $0.0, words: $0.1) })
    }
    fraction = summary { ($0.published.fractions, $0.published.words) }
    full = summary { (Double($0.published.fullyAbsorbed), $0.published.words) }
    centredFraction = summary { ($0.centred.fractions, $0.centred.words) }
    centredFull = summary { (Double($0.centred.fullyAbsorbed), $0.centred.words) }
    splitFeatures = Estimate(measured.map { Double($0.splitFeatures) }, per: measured.map { _ in 1 })
  }
}
