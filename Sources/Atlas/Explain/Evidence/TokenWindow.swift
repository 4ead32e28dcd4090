/// A stretch of text as tokens, with the activation of one feature on each.
public struct TokenWindow: Equatable, Sendable {
  /// The sequence it is cut from: what splits examples into those explained from and those tested on.
  public let sequence: Int
  /// Tokens as the vocabulary spells them, a space being U+2581.
  public let pieces: [String]
  /// The feature's activation on each token, 0 where it does not fire.
  public let activations: [Float]
  /// For examples the interval of activations it stands for, from 0; nil for one of the largest.
  public let interval: Int?

  /// A window of as many activations as pieces.
  public init(sequence: Int, pieces: [String], activations: [Float], interval: Int? = nil) {
    self.sequence = sequence
    self.pieces = pieces
    self.activations = activations
    self.interval = interval
  }

  /// A window on no token of which the feature fires.
  public init(silentIn sequence: Int, pieces: [String]) {
    self.init(sequence: sequence, pieces: pieces, activations: [Float](repeating: 0, count: pieces.count))
  }

  /// Whether the feature fires on any of the tokens.
  public var isActive: Bool { activations.contains { $0 > 0 } }

  /// The first of the tokens with the largest activation.
  var peak: Int {
    var best = 0
    for i in activations.indices where activations[i] > activations[best] { best = i }
    return best
  }

  /// Tokens whose activation is at least `share` of the window's largest, and above 0.
  func strong(_ share: Float) -> [Int] {
    guard let largest = activations.max(), largest > 0 else { return [] }
    return activations.indices.filter { activations[$0] > 0 && activations[$0] >= share * largest }
  }
}
