/// A token at which a feature is on, with the feature's activations around it.
struct KeptExample: Equatable {
  struct Active: Equatable {
    /// Tokens from the window's start.
    let offset: UInt8
    let activation: Float
  }

  /// What each token that attention looks at adds to the pre-activation (attention dictionaries).
  struct Sources: Equatable {
    /// For each token of the window.
    var window: [Float]
    /// The sequence's first token, which is `<bos>`.
    var begin: Float
    /// All other tokens together.
    var elsewhere: Float
    /// The largest of these, by magnitude; at most three.
    var outside: [(position: Int32, value: Float)]

    static func == (a: Sources, b: Sources) -> Bool {
      a.window == b.window && a.begin == b.begin && a.elsewhere == b.elsewhere
        && a.outside.elementsEqual(b.outside) { $0.position == $1.position && $0.value == $1.value }
    }
  }

  let activation: Float
  let sequence: Int32
  let position: Int32
  /// The window: its first token's place in the sequence, and how many tokens it has.
  let start: Int32
  let length: Int32
  /// The window's tokens at which the feature is on, ascending.
  let active: [Active]
  var sources: Sources?

  /// The order of examples: larger activations first, then earlier tokens. No two tokens are equal in it.
  static func precedes(_ a: KeptExample, _ b: KeptExample) -> Bool {
    (b.activation, a.sequence, a.position) < (a.activation, b.sequence, b.position)
  }
}

/// The best examples, at most one of a sequence. Sequences are offered in their order, once each.
struct TopExamples: Equatable {
  /// Best first.
  var list: [KeptExample] = []

  /// Keeps what `make` gives if an example of this activation is among the `limit` best.
  mutating func offer(_ activation: Float, limit: Int, make: () -> KeptExample) {
    // Of equal activations the earlier token is the better one, and it is already here.
    if list.count >= limit, let last = list.last, activation <= last.activation { return }
    let new = make()
    let place = list.firstIndex { KeptExample.precedes(new, $0) } ?? list.count
    list.insert(new, at: place)
    if list.count > limit { list.removeLast() }
  }
}

/// A sample of examples of every size: in each half octave of activations those with the smallest hashes.
struct BinnedExamples: Equatable {
  struct Item: Equatable {
    let hash: UInt64
    var example: KeptExample
  }

  struct Bin: Equatable {
    let number: Int32
    /// By hash, then place.
    var items: [Item]
  }

  /// Ascending by number.
  var bins: [Bin] = []

  static let perBin = 3
  static let perInterval = 2

  /// Half octaves: exponent and first bit of the number.
  static func bin(_ activation: Float) -> Int32 { Int32(activation.bitPattern >> 22) }

  private static func precedes(_ a: Item, _ b: Item) -> Bool {
    (a.hash, a.example.sequence, a.example.position) < (b.hash, b.example.sequence, b.example.position)
  }

  mutating func offer(_ activation: Float, hash: UInt64, make: () -> KeptExample) {
    let number = Self.bin(activation)
    let index = bins.firstIndex { $0.number >= number } ?? bins.count
    if index == bins.count || bins[index].number != number { bins.insert(Bin(number: number, items: []), at: index) }
    if bins[index].items.count == Self.perBin, let last = bins[index].items.last, hash > last.hash { return }
    let new = Item(hash: hash, example: make())
    let place = bins[index].items.firstIndex { Self.precedes(new, $0) } ?? bins[index].items.count
    bins[index].items.insert(new, at: place)
    if bins[index].items.count > Self.perBin { bins[index].items.removeLast() }
  }

  /// The examples of an interval: the kept ones that lie in it, by hash.
  func examples(of interval: ActivationSketch.Interval) -> [KeptExample] {
    bins.flatMap(\.items).filter { interval.contains($0.example.activation) }
      .sorted(by: Self.precedes).prefix(Self.perInterval).map(\.example)
  }
}
