import Gemma
import Tensors

/// What a feature does to single logits, made from the weights again: few tokens of a feature are needed, where its
/// whole table would take the product with every token.
struct ExampleEffects {
  let model: GemmaModel
  private let gain: [Float]

  init(_ model: GemmaModel) throws {
    self.model = model
    gain = try model.finalNormGain.read()
  }

  /// `W_U (r ∘ g)` of the tokens asked for, by token (docs/atlas.md).
  /// - Parameter direction: r, the feature's direction in the residual stream.
  func logits(_ direction: ArraySlice<Float>, of tokens: Set<Int32>) throws -> [Int32: Float] {
    let known = tokens.filter { 0..<model.configuration.vocabularySize ~= Int($0) }.sorted()
    guard !known.isEmpty else { return [:] }
    let row = try model.backend.tensor(zip(direction, gain).map { $0 * $1 }, shape: [1, gain.count])
    let values = try model.backend.linear(row, model.unembeddingRows(known)).read()
    return Dictionary(uniqueKeysWithValues: zip(known, values))
  }
}
