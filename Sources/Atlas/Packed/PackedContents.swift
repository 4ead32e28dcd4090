import Sites

/// What a packed atlas holds: everything that takes a pass of the model, or long, to make again.
struct PackedContents: Equatable {
  struct Dictionary: Equatable {
    var name, kind: String
    /// JSON lists of sites.
    var reads, writes: String
    var width, inputWidth, outputWidth: Int
    var sha256: String
    var l0: Double?
    /// JSON.
    var card, prefixes: String?
    /// Features of all reads.
    var features: Int
    /// Whether its features have sources, and effects that a second norm divides.
    var isAttention: Bool
    /// Whether features that are on together were counted in a sample of the tokens.
    var isSampled: Bool
  }

  struct Feature: Equatable {
    /// Sequences it fires in; 0 when it never does, and then there is nothing else.
    var sequences = 0
    var mean = 0
    var sketch = ActivationSketch()
    /// Buckets of `FeatureWriter.quantiles`.
    var quantiles: [Int] = []
    var intervals: [ActivationSketch.Interval] = []
    var raised: [Int32] = []
    var lowered: [Int32] = []
    var examples: [Example] = []
    var coactive: [Partner] = []
  }

  struct Partner: Equatable {
    /// In the dictionary.
    var feature: Int
    var tokens: Int
    /// Of sampled dictionaries; of others it follows from the counts.
    var value: Float?
  }

  struct Example: Equatable {
    /// The interval, or −1.
    var bin: Int
    /// Place among `sequences`.
    var sequence: Int
    var position: Int
    /// `PackedNumber.fine`.
    var activation: Int
    var start: Int
    var length: Int
    /// All tokens of the window that are on, with `PackedNumber.rough` of the activation and, for attention,
    /// `PackedNumber.coarse` of what the norm after attention divided by.
    var active: [Active] = []
    var sources: Sources?
  }

  struct Active: Equatable {
    var offset: Int
    var strength: Int
    var scale = 0
  }

  /// Contributions in 127ths of the largest, which is `PackedNumber.fine(scale)`.
  struct Sources: Equatable {
    var scale: Int
    /// Of each token of the window, of the first of the sequence, of all others.
    var values: [Int8]
    var outside: [Outside]
  }

  struct Outside: Equatable {
    var position: Int
    var value: Int8
  }

  struct Sequence: Equatable {
    /// Its number in the corpus.
    var number: Int
    var tokens: [Int32]
    /// `PackedNumber.coarse` of what the final norm divided by at each token.
    var scales: [Int]
  }

  struct Window: Equatable {
    /// Place among `sequences`.
    var sequence: Int
    var start: Int
  }

  struct Label: Equatable {
    var feature: Int
    var author, method: String
    /// Without what it says at its end of the `raised` first of the feature's raised tokens
    /// (`LexicalExplainer.raised`).
    var text: String
    var raised: Int
    var created: String
    var prompt: String?
    var scores: [Score]
  }

  struct Score: Equatable {
    var test, judge: String
    var reason: String?
    var created: String
    var balanced, hard: Double?
    /// tp, fn, tn, fp, refused, malformed, timed_out, failed.
    var counts: [Int]
  }

  /// Buckets of a sketch to an octave: 32, or fewer, and then counts are spread evenly over those that were one.
  var bars = ActivationSketch.perOctave
  /// Sorted by key.
  var meta: [[String]] = []
  var dictionaries: [Dictionary] = []
  /// Of all dictionaries, one behind the other.
  var features: [Feature] = []
  var sequences: [Sequence] = []
  var pool: [Window] = []
  /// For each feature one bit a window of `pool`, bit i mod 8 of byte i div 8.
  var poolBits: [[UInt8]] = []
  var labels: [Label] = []
  /// While it is read: the tokens that occur, by their place in the file.
  var vocabulary: [Int32] = []

  /// The window that the build would have taken around a token: within the document and the sequence.
  static func window(of position: Int, in tokens: [Int32], begin: Int32, before: Int, after: Int) -> (Int, Int) {
    var (start, end) = (position, position + 1)
    while start > 0, position - start < before, tokens[start - 1] != begin { start -= 1 }
    while end < tokens.count, end - position <= after, tokens[end] != begin { end += 1 }
    return (start, end - start)
  }

  /// Where intervals end (`ActivationSketch.intervals`): behind some of the quantiles, and the largest activation.
  static func ends(_ quantiles: [Int], largest: Int) -> [Int] {
    let shares = zip(FeatureWriter.quantiles, quantiles).filter { ActivationSketch.intervalQuantiles.contains($0.0) }
    return shares.map { min($0.1, largest) + 1 } + [largest + 1]
  }

  /// A number of `meta`.
  func number(_ key: String) -> Int? { meta.first { $0[0] == key }.flatMap { Int($0[1]) } }
}
