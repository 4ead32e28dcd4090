import Dictionaries
import Tensors

/// The encoder of a few features of one read: what is needed to know their activations without coding the whole width.
struct FeatureProbe: Sendable {
  /// Where each feature stands.
  let columns: [Int: Int]
  /// [features, inputWidth]
  private let weights: Tensor
  private let bias: [Float]
  private let threshold: [Float]

  /// - Throws: `DictionaryError`, `TensorError`.
  init(_ dictionary: SparseDictionary, read: Int, features: Set<Int>, backend: any Backend) throws {
    let features = features.sorted()
    columns = Dictionary(uniqueKeysWithValues: features.enumerated().map { ($1, $0) })
    let values = try features.flatMap { try dictionary.encoderColumn(read: read, feature: $0) }
    weights = try backend.tensor(values, shape: [features.count, dictionary.shape.inputWidth])
    bias = try features.map { try dictionary.encoderBias(read: read, feature: $0) }
    threshold = try features.map { try dictionary.threshold(read: read, feature: $0) }
  }

  /// JumpReLU activations of `x` [rows, inputWidth]: rows × features numbers, row by row.
  func activations(_ x: Tensor, backend: any Backend) throws -> [Float] {
    var z = try backend.linear(x, weights).read()
    for i in z.indices {
      let feature = i % bias.count
      let pre = z[i] + bias[feature]
      z[i] = pre > threshold[feature] && pre > 0 ? pre : 0
    }
    return z
  }
}

/// A code taken in a pass: some or all features of one read, over some rows.
struct Reading {
  private enum Values {
    case code(SparseCode)
    case probed([Float], FeatureProbe)
  }

  /// Rows of the pass, ascending.
  let rows: [Int]
  /// What was encoded, [rows.count, inputWidth], where it is needed later.
  let input: Tensor?
  private let values: Values
  private let places: [Int: Int]

  /// All features.
  init(rows: [Int], code: SparseCode, input: Tensor?) {
    self.init(rows: rows, values: .code(code), input: input)
  }

  /// The features of `probe`.
  init(rows: [Int], activations: [Float], probe: FeatureProbe) {
    self.init(rows: rows, values: .probed(activations, probe), input: nil)
  }

  private init(rows: [Int], values: Values, input: Tensor?) {
    self.rows = rows
    self.values = values
    self.input = input
    places = Dictionary(uniqueKeysWithValues: rows.enumerated().map { ($1, $0) })
  }

  func place(ofRow row: Int) -> Int? { places[row] }

  /// A feature's activation, or nil when the row was not read.
  func activation(ofFeature feature: Int, row: Int) -> Float? {
    guard let place = places[row] else { return nil }
    switch values {
    case .code(let code): return code.activation(ofFeature: feature, inRow: place)
    case .probed(let activations, let probe):
      guard let column = probe.columns[feature] else { return nil }
      return activations[place * probe.columns.count + column]
    }
  }

  /// The whole code at `places`, where the whole was taken.
  func code(at places: [Int]) throws -> SparseCode? {
    guard case .code(let code) = values else { return nil }
    if places.count == code.rows { return code }
    var (offsets, features, activations) = ([0], [Int32](), [Float]())
    for place in places {
      let entries = code.entries(ofRow: place)
      features += code.features[entries]
      activations += code.activations[entries]
      offsets.append(features.count)
    }
    return try SparseCode(rowOffsets: offsets, features: features, activations: activations)
  }
}
