import Dictionaries
import Gemma
import Sites
import Tensors

/// Direct feature attribution of attention features: how much each source token adds to a feature's pre-activation at a
/// token, with the attention pattern taken as it is.
///
/// With A the pattern, v the values and w the feature's encoder column, source s adds `Σ_h A[h, t, s] · (v[s, kv(h)] ·
/// w[h·d ..< (h+1)·d])` at token t; over all s these add up to the pre-activation less its bias (Kissane,
/// Krzyzanowski, Bloom, Conmy & Nanda 2024, "Interpreting attention layer outputs with sparse autoencoders", section
/// 3).
struct AttentionContributions {
  let dictionary: SparseDictionary
  let model: GemmaModel
  let sources: AttentionSources

  /// For each example of one sequence its sources.
  /// - Throws: `DictionaryError`, `TensorError`.
  func callAsFunction(_ examples: [(feature: Int, example: KeptExample)]) throws -> [KeptExample.Sources] {
    guard !examples.isEmpty else { return [] }
    let (heads, size) = (sources.shape.queryHeads, sources.shape.headDimension)
    let groups = heads / sources.shape.keyValueHeads
    let count = sources.values.rows
    let (pattern, values) = (try sources.pattern.read(), try sources.values.read())
    let features = Array(Set(examples.map(\.feature))).sorted()
    let columns = try features.map { feature in
      try dictionary.encoderColumn(read: feature / dictionary.shape.width, feature: feature % dictionary.shape.width)
    }
    var places: [Int: Int] = [:]
    for (place, feature) in features.enumerated() { places[feature] = place }
    var totals = [[Double]](repeating: [Double](repeating: 0, count: count), count: examples.count)
    for head in 0..<heads {
      let keyed = head / groups * size
      let width = sources.values.rowLength
      let v = (0..<count).flatMap { values[$0 * width + keyed..<$0 * width + keyed + size] }
      let w = columns.flatMap { $0[head * size..<(head + 1) * size] }
      let products = try model.backend.linear(
        model.backend.tensor(v, shape: [count, size]), model.backend.tensor(w, shape: [features.count, size])
      ).read()
      for (index, item) in examples.enumerated() {
        let row = (head * count + Int(item.example.position)) * count
        guard let place = places[item.feature] else { continue }
        for source in 0...Int(item.example.position) {
          totals[index][source] += Double(pattern[row + source]) * Double(products[source * features.count + place])
        }
      }
    }
    return zip(examples, totals).map { Self.sources(of: $0.example, $1) }
  }

  /// Sums of the tokens outside the window, and the largest three of them.
  static func sources(of example: KeptExample, _ values: [Double]) -> KeptExample.Sources {
    let window = Int(example.start)..<Int(example.start + example.length)
    let others = values.indices.filter { $0 > 0 && !window.contains($0) && values[$0] != 0 }
    let largest = others.sorted { (abs(values[$1]), $0) < (abs(values[$0]), $1) }.prefix(3)
    return KeptExample.Sources(
      window: window.map { Float(values[$0]) }, begin: Float(values.first ?? 0),
      elsewhere: Float(others.reduce(0) { $0 + values[$1] }),
      outside: largest.map { (position: Int32($0), value: Float(values[$0])) })
  }
}
