public import Sites

/// What stands in the place of activations while the model runs, at every token that counts; special tokens keep theirs.
public enum Replacement: Hashable, Sendable {
  /// One written site becomes what a dictionary makes of the unchanged model's activations.
  case reconstruction(dictionary: Int, write: Int)
  /// All sites that some dictionaries write become what these make of what they then read: what earlier replacements
  /// left.
  case splice(dictionaries: [Int])
  /// Sites become their mean activation.
  case mean([Site])
  /// Sites become zero.
  case zero([Site])
}
