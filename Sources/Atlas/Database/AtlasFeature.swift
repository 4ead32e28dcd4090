/// A token of an atlas.
public struct AtlasToken: Equatable, Sendable {
  /// Its id in the model's vocabulary.
  public let id: Int32
  /// Its spelling there.
  public let piece: String
  /// The bytes it stands for, not always whole characters.
  public let bytes: [UInt8]
}

/// Everything an atlas has of one feature but its examples.
public struct AtlasFeature: Equatable, Sendable {
  /// Its name.
  public let key: FeatureKey
  /// Its dictionary.
  public let dictionary: AtlasDictionary
  /// Tokens at which it was on, and sequences with such a token; nil for published statistics, which have rates alone.
  public let count, sequences: Int?
  /// Share of the tokens at which it was on.
  public let rate: Double
  /// Mean and largest of its activations where it was on; nil for a feature that never was, and a mean that is not
  /// published.
  public let mean, maximum: Double?
  /// Where the largest was: the sequence's number in the corpus and the token's in it.
  public let place: (sequence: Int, position: Int)?
  /// Quantiles of its activations where it was on, by share.
  public let quantiles: [(share: Double, value: Float)]
  /// How often activations of each size came.
  public let sketch: ActivationSketch
  /// The intervals that examples are taken from, lowest first.
  public let intervals: [Interval]
  /// What it does to the logits; nil for a feature that was never on, and until the atlas is whole.
  public let logits: Logits?
  /// Nearest by decoder cosine in its dictionary, often on at the same tokens (Jaccard index), and nearest in other
  /// dictionaries by what they add to the residual stream.
  public let nearest, coactive, elsewhere: [Neighbour]
  /// The features of the smallest nested part that holds it; nil where the dictionary has none.
  public let prefix: Int?
  /// What was said of it, the one to show first.
  public let explanations: [AtlasExplanation]

  /// A range of activations.
  public struct Interval: Equatable, Sendable {
    /// From `lower` to below `upper`.
    public let lower, upper: Double
    /// Tokens whose activation lies in it.
    public let count: Int
  }

  /// Direct effects on the logits per unit of activation, before the division by the final norm's denominator.
  public struct Logits: Equatable, Sendable {
    /// Tokens raised most, most first, and lowered most, most first.
    public let top, bottom: [(token: AtlasToken, value: Float)]
    /// The least and largest effect on any token, and how many tokens lie in each of 50 equal parts between.
    public let low, high: Float
    /// Tokens in each part.
    public let counts: [Int]

    public static func == (a: Logits, b: Logits) -> Bool {
      a.top.elementsEqual(b.top, by: ==) && a.bottom.elementsEqual(b.bottom, by: ==) && a.low == b.low
        && a.high == b.high && a.counts == b.counts
    }
  }

  /// Another feature.
  public struct Neighbour: Equatable, Sendable {
    /// Its name.
    public let key: FeatureKey
    /// Cosine or Jaccard index.
    public let value: Double
    /// Tokens at which both were on, for co-active ones.
    public let tokens: Int?
  }

  public static func == (a: AtlasFeature, b: AtlasFeature) -> Bool {
    a.key == b.key && a.dictionary == b.dictionary && a.count == b.count && a.sequences == b.sequences
      && a.rate == b.rate && a.mean == b.mean && a.maximum == b.maximum && a.place?.sequence == b.place?.sequence
      && a.place?.position == b.place?.position && a.quantiles.elementsEqual(b.quantiles, by: ==)
      && a.sketch == b.sketch && a.intervals == b.intervals && a.logits == b.logits && a.nearest == b.nearest
      && a.coactive == b.coactive && a.elsewhere == b.elsewhere && a.prefix == b.prefix
      && a.explanations == b.explanations
  }
}

/// Which examples.
public enum ExampleGroup: Hashable, Sendable {
  /// The largest activations, one of a sequence.
  case top
  /// A sample of one of `AtlasFeature.intervals`.
  case interval(Int)
}

/// A place in the corpus at which a feature is on.
public struct AtlasExample: Equatable, Sendable {
  /// The sequence's number in the corpus, and the token's place in it.
  public let sequence, position: Int
  /// The feature's activation there.
  public let activation: Double
  /// How much that raised the logit of the token that came next, norms held as they were; nil where none came, or a
  /// special one.
  public let effect: Double?
  /// Where the window begins in the sequence.
  public let start: Int
  /// The window's tokens.
  public let tokens: [AtlasToken]
  /// For each of them the feature's activation, 0 where it is off, and its effect on the next token's logit.
  public let activations: [Float]
  /// Nil where it is off, or there is no next token.
  public let effects: [Float?]
  /// What each source token adds to the pre-activation, for attention dictionaries.
  public let sources: Sources?
  /// Which half of the sequences it belongs to: explanations are made from half 0 and tested on half 1.
  public let split: Int
  /// Whether activations around the example's own may be missing.
  public let isPartial: Bool

  /// Contributions to a pre-activation; with the encoder's bias they add up to it.
  public struct Sources: Equatable, Sendable {
    /// Of each token of the window.
    public let window: [Float]
    /// Of the sequence's first token.
    public let begin: Float
    /// Of all others together.
    public let elsewhere: Float
    /// The largest of these.
    public let outside: [(position: Int, token: AtlasToken, value: Float)]

    public static func == (a: Sources, b: Sources) -> Bool {
      a.window == b.window && a.begin == b.begin && a.elsewhere == b.elsewhere
        && a.outside.elementsEqual(b.outside, by: ==)
    }
  }
}
