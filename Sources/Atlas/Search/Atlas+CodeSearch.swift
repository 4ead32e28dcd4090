public import Dictionaries
import Foundation
import GRDB
import Tensors

/// How much it says that a feature is as strong as it is.
public enum Specificity {
  /// −log₂((c + ½) / (N + 1)) bits: c of N tokens of the atlas had the feature at least as strong. The share is the
  /// mean of what is known of it after Jeffreys' prior Beta(½, ½) and c of N; so c = 0 gives a finite number.
  public static func bits(count: Int, of tokens: Int) -> Double {
    -log2((Double(count) + 0.5) / (Double(tokens) + 1))
  }
}

extension Atlas {
  /// Features that are on in a text, the most specific first: each at its strongest token, by `Specificity.bits`.
  ///
  /// c counts the tokens whose activations lie in the same bucket of the sketch or above, so it may be too large by
  /// what the bucket holds below. Equal bits are told apart by activation. Of published statistics the bits are
  /// −log₂(rate), which is the least that they can be.
  ///
  /// The token right behind `<bos>` is unlike others, and of N tokens there are few: most features that are on there are
  /// on as nowhere else, whatever it is. So it is compared with tokens at that place alone: N is then the number of the
  /// atlas's sequences, and c, of which nothing more is known, at most all of them. That is the least its bits can be.
  /// - Parameters:
  ///   - codes: what dictionaries of the atlas, by name, made of the text's tokens.
  ///   - rows: which of the tokens to look at.
  ///   - opening: the token right behind `<bos>`, where there is one.
  ///   - filter: features that may be found.
  ///   - limit: results at most.
  /// - Throws: `AtlasError.dictionary`, `.option` for a code or row that does not fit, `.file`.
  public func search(
    codes: [(dictionary: String, code: DictionaryCode)], rows: [Int], opening: Int? = nil,
    filter: SearchFilter = SearchFilter(), limit: Int = 20
  ) throws -> [SearchResult] {
    try Self.checkLimit(limit)
    try filter.validate()
    let strongest = try codes.map { name, code in
      let dictionary = try dictionary(name)
      return (
        dictionary, others: try Self.strongest(code, rows.filter { $0 != opening }, dictionary),
        opening: try Self.strongest(code, rows.filter { $0 == opening }, dictionary)
      )
    }
    return try read { db in
      var hits: [Hit] = []
      for (dictionary, others, opening) in strongest { hits += try self.hits(dictionary, others, opening, db) }
      hits.sort { a, b in
        (b.score ?? -1, b.activation ?? 0, a.id) < (a.score ?? -1, a.activation ?? 0, b.id)
      }
      return try results(hits, filter, limit: limit, db)
    }
  }

  private typealias Strongest = (activation: Float, row: Int)

  /// For each feature (`read · width + index`) that is on in `rows` where it is strongest, the first of equals. Bits
  /// never fall as an activation rises, so that is where it is most specific.
  private static func strongest(
    _ code: DictionaryCode, _ rows: [Int], _ dictionary: AtlasDictionary
  ) throws -> [Int: Strongest] {
    guard code.layers.count == dictionary.reads.count else {
      throw AtlasError.option(
        name: "codes",
        reason: "\(code.layers.count) layers for '\(dictionary.name)', which reads \(dictionary.reads.count)")
    }
    var found: [Int: Strongest] = [:]
    for row in rows {
      guard 0..<code.rows ~= row else {
        throw AtlasError.option(name: "rows", reason: "\(row) is not in 0..<\(code.rows)")
      }
      for (read, layer) in code.layers.enumerated() {
        for entry in layer.entries(ofRow: row) {
          let (index, activation) = (Int(layer.features[entry]), layer.activations[entry])
          guard index < dictionary.width else {
            throw AtlasError.option(
              name: "codes", reason: "feature \(index) of '\(dictionary.name)', which has \(dictionary.width)")
          }
          let feature = read * dictionary.width + index
          if activation > 0, activation > found[feature]?.activation ?? 0 { found[feature] = (activation, row) }
        }
      }
    }
    return found
  }

  private func hits(
    _ dictionary: AtlasDictionary, _ others: [Int: Strongest], _ opening: [Int: Strongest], _ db: Database
  ) throws -> [Hit] {
    let last = dictionary.firstFeature + dictionary.features - 1
    func number(_ key: String) throws -> Int? {
      try String.fetchOne(db, sql: "SELECT value FROM meta WHERE key = ?", arguments: [key]).flatMap { Int($0) }
    }
    let counted =
      try Int.fetchOne(db, sql: "SELECT tokens FROM dictionary WHERE id = ?", arguments: [dictionary.id])
      ?? number("tokens") ?? 0
    let sequences = try number("sequences") ?? 0
    let rows = try Row.fetchCursor(
      db, sql: "SELECT id, count, rate, sketch FROM feature WHERE id BETWEEN ? AND ?",
      arguments: [dictionary.firstFeature, last])
    var hits: [Hit] = []
    while let row = try rows.next() {
      let id: Int = row["id"]
      let feature = id - dictionary.firstFeature
      let (other, first) = (others[feature], opening[feature])
      guard other != nil || first != nil else { continue }
      guard (row["count"] as Int?) != nil else {
        // The rate is that of all tokens, wherever they stand.
        guard let (activation, place) = [first, other].compactMap({ $0 }).max(by: { $0.0 < $1.0 }) else { continue }
        let rate: Double = row["rate"]
        hits.append(
          Hit(id: id, score: rate > 0 ? -log2(rate) : nil, activation: activation, row: place, isApproximate: true))
        continue
      }
      guard let sketch = ActivationSketch(encoded: (row["sketch"] as Data?) ?? Data()) else {
        throw AtlasError.file(path: url.path, reason: "the sketch of feature \(id) cannot be read")
      }
      func hit(_ strongest: Strongest, of tokens: Int) -> Hit {
        let count = min(sketch.countAtLeast(strongest.activation).upperBound, tokens)
        return Hit(
          id: id, score: Specificity.bits(count: count, of: tokens), activation: strongest.activation, row: strongest.row)
      }
      let found = [other.map { hit($0, of: counted) }, first.map { hit($0, of: sequences) }].compactMap { $0 }
      if let best = found.max(by: { ($0.score ?? 0) < ($1.score ?? 0) }) { hits.append(best) }
    }
    return hits
  }
}
