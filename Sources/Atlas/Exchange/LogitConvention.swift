import Gemma
import Tensors

/// What a file's tables of raised and lowered tokens were made with: nothing says it, so both ways are tried.
struct LogitConvention: Equatable {
  /// Share of the stored ten most raised tokens that are among ours with the final norm's gain (1 + w) on the
  /// direction.
  let gain: Double
  /// The same without it.
  let raw: Double
  /// Features compared.
  let features: Int

  static let features = 64
  /// Below it, model, dictionary and file do not belong together.
  static let least = 0.2

  var fits: Bool { features == 0 || max(gain, raw) >= Self.least }
  var name: String { gain >= raw ? "gain" : "raw" }

  /// - Parameter stored: of each feature compared its most raised tokens.
  /// - Throws: what the dictionary or the model throws.
  init(_ stored: [(feature: Int, tokens: [Int32])], directions: FeatureDirections, model: GemmaModel) throws {
    features = stored.count
    let finalGain = try model.finalNormGain.read()
    var found = (gain: 0.0, raw: 0.0)
    for (feature, tokens) in stored {
      let direction = try directions.residualDirections(feature..<feature + 1)
      // The norm puts the gain on: taken off beforehand, it leaves the bare unembedding.
      let values = try direction.read()
      let bare = try model.backend.tensor(
        values.indices.map { finalGain[$0] == 0 ? 0 : values[$0] / finalGain[$0] }, shape: direction.shape)
      func share(_ rows: Tensor) throws -> Double {
        let best = try model.backend.topK(model.unembed(rows), LogitTable.entries)[0].map { Int32($0.index) }
        return Double(Set(best).intersection(tokens).count) / Double(max(Set(tokens).count, 1))
      }
      found.gain += try share(direction)
      found.raw += try share(bare)
    }
    gain = found.gain / Double(max(stored.count, 1))
    raw = found.raw / Double(max(stored.count, 1))
  }
}
