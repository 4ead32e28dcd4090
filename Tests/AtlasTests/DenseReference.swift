import Activations
import Atlas
import Dictionaries
import Gemma
import Sites
import Tensors
import Tokenization

/// Every activation of every feature over a corpus, kept densely, and statistics taken from it by their definitions.
struct DenseReference {
  struct Token {
    let sequence: Int
    let position: Int
    /// The window around it, positions in its sequence.
    let window: Range<Int>
  }

  let options: AtlasOptions
  /// Tokens that count, in order.
  var tokens: [Token] = []
  /// For each dictionary and feature (`read · width + index`) the activation at each of `tokens`.
  var values: [[[Float]]]
  /// Of each sequence.
  var ids: [[Int32]] = []
  /// Of each sequence the positions that count.
  var counted: [Set<Int>] = []
  /// Of each sequence, captured sites and the final residual stream.
  var captured: [(sites: [Site: Tensor], residual: Tensor)] = []

  init(_ tiny: TinyAtlas, _ options: AtlasOptions = TinyAtlas.options) throws {
    self.options = options
    values = tiny.dictionaries.map { [[Float]](repeating: [], count: $0.shape.totalWidth) }
    let packer = try SequencePacker(
      tiny.corpus, tokenizer: tiny.tokenizer,
      options: PackingOptions(context: options.context, tokenLimit: options.tokens))
    let sites = Set(tiny.dictionaries.flatMap(\.shape.reads) + [.residPost(4)])
    while true {
      var batch: [PackedSequence] = []
      while batch.count < options.batch, let next = try packer.next() { batch.append(next) }
      if batch.isEmpty { return }
      let result = try tiny.model.forward(batch.map(\.tokens), capture: sites, logits: .residual)
      for (sequence, segment) in zip(batch, result.rows.segments) {
        let residual = try result.residual?.rows(segment)
        captured.append(
          (try result.activations.mapValues { try $0.rows(segment) }, try residual ?? Tensor([], shape: [0])))
        ids.append(sequence.tokens)
        counted.append(Set(sequence.counted))
        for position in sequence.counted {
          tokens.append(
            Token(sequence: sequence.index, position: position, window: window(sequence, position, tiny.tokenizer)))
        }
      }
      for (index, dictionary) in tiny.dictionaries.enumerated() {
        let inputs = dictionary.shape.reads.compactMap { result.activations[$0] }
        let code = try dictionary.encode(inputs)
        for (sequence, segment) in zip(batch, result.rows.segments) {
          for position in sequence.counted {
            for feature in values[index].indices {
              let layer = code.layers[feature / dictionary.shape.width]
              values[index][feature].append(
                layer.activation(
                  ofFeature: feature % dictionary.shape.width, inRow: segment.lowerBound + position))
            }
          }
        }
      }
    }
  }

  /// Up to `before` tokens before and `after` behind, as far as there is no `<bos>` and the tokens count.
  private func window(_ sequence: PackedSequence, _ position: Int, _ tokenizer: GemmaTokenizer) -> Range<Int> {
    var (start, end) = (position, position + 1)
    while start > 0, position - start < options.before, sequence.tokens[start - 1] != tokenizer.bos { start -= 1 }
    let last = sequence.counted.last ?? 0
    while end <= last, end - position <= options.after, sequence.tokens[end] != tokenizer.bos { end += 1 }
    return start..<end
  }

  /// Places in `tokens` at which a feature is on.
  func active(_ dictionary: Int, _ feature: Int) -> [Int] {
    tokens.indices.filter { values[dictionary][feature][$0] > 0 }
  }

  struct Example: Hashable {
    let activation: Float
    let sequence: Int
    let position: Int
    let window: Range<Int>
    /// For each token of the window.
    let activations: [Float]
  }

  func example(_ dictionary: Int, _ feature: Int, at place: Int) -> Example {
    let token = tokens[place]
    let activations = token.window.map { position in
      tokens.indices.first { tokens[$0].sequence == token.sequence && tokens[$0].position == position }
        .map { values[dictionary][feature][$0] } ?? 0
    }
    return Example(
      activation: values[dictionary][feature][place], sequence: token.sequence, position: token.position,
      window: token.window, activations: activations)
  }

  /// The best of each sequence, the best of these.
  func top(_ dictionary: Int, _ feature: Int) -> [Example] {
    let own = values[dictionary][feature]
    let best = Dictionary(grouping: active(dictionary, feature)) { tokens[$0].sequence }.values.compactMap { places in
      places.sorted { (-own[$0], $0) < (-own[$1], $1) }.first
    }
    return best.sorted { (-own[$0], $0) < (-own[$1], $1) }.prefix(options.examples)
      .map { example(dictionary, feature, at: $0) }
  }

  /// Tokens that are the largest of their window; in each half octave the three of smallest hash; of these, those in
  /// the interval, the two of smallest hash.
  func examples(_ dictionary: Int, _ feature: Int, in range: ClosedRange<Double>) -> [Example] {
    let own = values[dictionary][feature]
    let candidates = active(dictionary, feature).filter { place in
      let token = tokens[place]
      return active(dictionary, feature).allSatisfy { other in
        other == place || tokens[other].sequence != token.sequence || !token.window.contains(tokens[other].position)
          || own[other] < own[place] || own[other] == own[place] && other > place
      }
    }
    func hash(_ place: Int) -> UInt64 {
      ReferenceHash.of(options.seed, feature, tokens[place].sequence, tokens[place].position)
    }
    func sampled(_ places: [Int], _ count: Int) -> [Int] {
      Array(places.sorted { hash($0) < hash($1) }.prefix(count))
    }
    let kept = Dictionary(grouping: candidates) { own[$0].bitPattern >> 22 }.values.flatMap { sampled($0, 3) }
    let inside = kept.filter { range.contains(Double(own[$0])) && Double(own[$0]) < range.upperBound }
    return sampled(inside, 2).map { example(dictionary, feature, at: $0) }
  }
}

/// The hash of docs/atlas.md: SplitMix64's finaliser, over and over.
enum ReferenceHash {
  static func mixed(_ value: UInt64) -> UInt64 {
    var z = value &+ 0x9E37_79B9_7F4A_7C15
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  static func of(_ seed: UInt64, _ numbers: Int...) -> UInt64 {
    var hash = mixed(seed)
    for number in numbers { hash = mixed(hash ^ UInt64(bitPattern: Int64(number))) }
    return hash
  }
}
