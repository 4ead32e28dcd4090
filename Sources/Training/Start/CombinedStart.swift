public import Dictionaries

/// A multi-layer dictionary to begin with, put together from single-layer ones (Gemma Scope 2 technical paper, §2.6).
///
/// Layers are gone through from the earliest. Of each the first features are taken, which Matryoshka training made the most
/// general ones; every feature taken marks, in each later layer, the feature that reads what it writes (the largest
/// early decoder · later encoder), so that one thing is not taken twice. A feature taken writes to its own layer what it
/// wrote, and to a later one what its counterpart there writes, scaled by how strongly it drives that counterpart.
public struct CombinedStart: Sendable {
  /// For each read the features taken, in order.
  public let chosen: [[Int]]
  /// Features that were passed over because an earlier layer's feature stands for them.
  public let marked: Int
  public let parameters: DictionaryParameters

  /// Cosine of decoder and encoder from which two features count as one.
  public static let similarity: Float = 0.5

  /// - Parameters:
  ///   - layers: a dictionary for each read of `shape`, reading and writing what that read and write do.
  /// - Throws: `TrainingError.setting` when they do not fit or have too few features.
  public init(_ layers: [DictionaryParameters], shape: DictionaryShape) throws {
    guard shape.isMultiLayer, layers.count == shape.reads.count else {
      throw TrainingError.setting(
        name: "start", expected: "\(shape.reads.count) dictionaries, one for each layer", found: "\(layers.count)")
    }
    for (read, layer) in layers.enumerated() {
      let own = layer.shape
      guard own.reads == [shape.reads[read]], own.writes == [shape.writes[read]], own.width >= shape.width,
        own.inputWidth == shape.inputWidth, own.outputWidth == shape.outputWidth, own.isAffine == shape.isAffine
      else {
        throw TrainingError.setting(
          name: "start, layer \(read)",
          expected: "at least \(shape.width) features that read \(shape.reads[read]) and write \(shape.writes[read])"
            + (shape.isAffine ? ", with a skip" : ""), found: "\(own)")
      }
    }
    let width = shape.outputWidth
    var isMarked = layers.map { [Bool](repeating: false, count: $0.shape.width) }
    var chosen: [[Int]] = []
    var combined: [DictionaryParameters.Layer] = []
    for read in layers.indices {
      let layer = layers[read].layers[0]
      let features = Self.take(shape.width, isMarked[read])
      chosen.append(features)
      var decoder = [Float](repeating: 0, count: shape.width * shape.writes.count * width)
      for (place, feature) in features.enumerated() {
        let row = layer.decoder[feature * width..<(feature + 1) * width]
        let start = place * shape.writes.count * width
        decoder.replaceSubrange(start + read * width..<start + (read + 1) * width, with: row)
        for later in layers.indices.dropFirst(read + 1) {
          let other = layers[later]
          guard let match = Self.reader(of: row, in: other) else { continue }
          isMarked[later][match.feature] = true
          let written = other.layers[0].decoder[match.feature * width..<(match.feature + 1) * width]
          decoder.replaceSubrange(
            start + later * width..<start + (later + 1) * width, with: written.map { $0 * match.drive })
        }
      }
      combined.append(
        DictionaryParameters.Layer(
          encoder: Self.columns(features, of: layer.encoder, width: layers[read].shape.width),
          encoderBias: features.map { layer.encoderBias[$0] }, threshold: features.map { layer.threshold[$0] },
          decoder: decoder, decoderBias: layer.decoderBias, skip: layer.skip))
    }
    self.chosen = chosen
    marked = isMarked.reduce(0) { $0 + $1.count { $0 } }
    parameters = try DictionaryParameters(shape: shape, layers: combined)
  }

  /// The first `count` unmarked features, then, if there are too few, the first marked ones.
  private static func take(_ count: Int, _ isMarked: [Bool]) -> [Int] {
    let free = isMarked.indices.filter { !isMarked[$0] }
    let rest = isMarked.indices.filter { isMarked[$0] }
    return Array((free + rest).prefix(count)).sorted()
  }

  /// The feature of `layer` whose encoder is most alike to `row`, and row · encoder; nil when none is alike enough.
  private static func reader(of row: ArraySlice<Float>, in layer: DictionaryParameters) -> (feature: Int, drive: Float)? {
    let width = layer.shape.width
    let encoder = layer.layers[0].encoder
    guard row.count * width == encoder.count else { return nil }
    var dots = [Float](repeating: 0, count: width)
    var squares = [Float](repeating: 0, count: width)
    for (i, value) in row.enumerated() {
      for feature in 0..<width {
        let weight = encoder[i * width + feature]
        dots[feature] += value * weight
        squares[feature] += weight * weight
      }
    }
    let length = row.reduce(0) { $0 + $1 * $1 }.squareRoot()
    guard length > 0, let best = dots.indices.max(by: { dots[$0] < dots[$1] }) else { return nil }
    let cosine = dots[best] / max(length * squares[best].squareRoot(), .leastNormalMagnitude)
    return cosine >= similarity ? (best, dots[best]) : nil
  }

  private static func columns(_ features: [Int], of encoder: [Float], width: Int) -> [Float] {
    let rows = encoder.count / max(width, 1)
    return (0..<rows).flatMap { i in features.map { encoder[i * width + $0] } }
  }
}
