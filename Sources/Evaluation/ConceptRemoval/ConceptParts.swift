import Dictionaries
package import Tensors

/// What can be taken out of pooled activations x̄: parts j, of strength f̄ⱼ in a text, each along a direction dⱼ.
///
/// Ablating features A of a dictionary while its error stays is x' = x − Σ_{j∈A} fⱼ dⱼ at every token, and pooling is
/// linear; so x̄' = x̄ − Σ f̄ⱼ dⱼ, and the logit of a probe w moves by −Σ f̄ⱼ (w·dⱼ). Nothing is decoded again.
package struct ConceptParts: Sendable {
  /// Parts by text.
  let code: SparseCode
  let count: Int
  /// w·dⱼ of each probe.
  private let productsOf: @Sendable ([LinearProbe]) throws -> [[Double]]
  /// Whether a part is active or not, and never below 0, as features are.
  let isOneSided: Bool

  /// Parts with given directions: `decoder` row j is dⱼ.
  /// - Throws: `EvaluationError.shape`.
  package init(_ code: SparseCode, decoder: [[Float]]) throws {
    guard code.features.allSatisfy({ decoder.indices ~= Int($0) }) else {
      throw EvaluationError.shape(
        what: "parts", expected: "features below \(decoder.count)", found: "\(code.features.max() ?? -1)")
    }
    (self.code, count, isOneSided) = (code, decoder.count, true)
    productsOf = { probes in probes.map { probe in decoder.map { Self.product(probe, $0) } } }
  }

  /// The features of a dictionary that reach its write `write`: those of reads up to it, one read after another.
  package init(_ pooled: PooledActivations, dictionary index: Int, write: Int, _ pooling: Pooling) throws {
    guard pooled.dictionaries.indices ~= index else { throw EvaluationError.missing(what: "dictionaries \(index)") }
    let dictionary = pooled.dictionaries[index]
    guard dictionary.shape.writes.indices ~= write else {
      throw EvaluationError.missing(what: "writes \(write) of \(dictionary.name)")
    }
    let width = dictionary.shape.width
    guard width * (write + 1) <= Int(Int32.max) else {
      throw EvaluationError.shape(what: "features", expected: "at most 2³¹ − 1", found: "\(width * (write + 1))")
    }
    let codes = try (0...write).map { try pooled.code(dictionary: index, read: $0, pooling) }
    let joined = try Self.joined(codes, width: width)
    (code, count, isOneSided) = (joined, width * (write + 1), true)
    // Of most features no text has any: their rows are not read.
    let active = Set(joined.features).sorted()
    productsOf = { probes in
      var products = [[Double]](repeating: [Double](repeating: 0, count: width * (write + 1)), count: probes.count)
      for part in active {
        let (read, feature) = Int(part).quotientAndRemainder(dividingBy: width)
        let row = try dictionary.decoderRow(read: read, feature: feature, write: write)
        for (place, probe) in probes.enumerated() { products[place][Int(part)] = Self.product(probe, row) }
      }
      return products
    }
  }

  /// The channels of x̄ [texts, d]: taken out, a channel has its mean.
  package init(channels rows: ProbeRows, means: [Double]) throws {
    let d = rows.columns
    code = try SparseCode(
      rowOffsets: (0...rows.count).map { $0 * d },
      features: (0..<rows.count).flatMap { _ in (0..<d).map(Int32.init) },
      activations: rows.values.indices.map { Float(rows.values[$0] - means[$0 % d]) })
    (count, isOneSided) = (d, false)
    productsOf = { probes in probes.map(\.weights) }
  }

  func products(_ probes: [LinearProbe]) throws -> [[Double]] { try productsOf(probes) }

  private static func product(_ probe: LinearProbe, _ row: [Float]) -> Double {
    zip(probe.weights, row).reduce(0) { $0 + $1.0 * Double($1.1) }
  }

  private static func joined(_ codes: [SparseCode], width: Int) throws -> SparseCode {
    guard codes.count > 1 else { return codes[0] }
    var (offsets, features, values) = ([0], [Int32](), [Float]())
    for row in 0..<codes[0].rows {
      for (read, code) in codes.enumerated() {
        for entry in code.entries(ofRow: row) {
          features.append(code.features[entry] + Int32(read * width))
          values.append(code.activations[entry])
        }
      }
      offsets.append(features.count)
    }
    return try SparseCode(rowOffsets: offsets, features: features, activations: values)
  }
}
