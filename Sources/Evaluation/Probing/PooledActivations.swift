public import Dictionaries
public import Gemma
public import Sites
public import Tensors

/// What becomes one activation of the many of a text.
public enum Pooling: String, CaseIterable, Codable, Sendable {
  /// The mean over the tokens that count.
  case mean
  /// The last token that counts.
  case last
}

/// Activations and sparse codes of texts, pooled over each text's tokens: what probes read. Special tokens do not
/// count.
///
/// One pass of the model over the texts serves all sites and dictionaries; it ends after the last site that is read.
public struct PooledActivations: Sendable {
  public let dictionaries: [SparseDictionary]
  /// Number of texts.
  public let texts: Int
  /// The number of tokens that count in each text.
  public let tokens: [Int]
  private var activations: [Pooling: [Site: [Float]]] = [:]
  private var widths: [Site: Int] = [:]
  /// For each dictionary and read, one row a text.
  private var codes: [Pooling: [[SparseCode]]] = [:]

  /// Tokens that are run together.
  private static let tokensAtOnce = 1024

  /// - Parameters:
  ///   - dictionaries: whose codes to pool; the sites that they read and write are pooled, too.
  ///   - sites: further sites.
  ///   - sequences: the tokens of each text, `<bos>` first.
  ///   - check: called between layers.
  ///   - progress: told of texts done, in parts that sum to all of them.
  /// - Throws: `EvaluationError.texts` for a text without a token that counts, `GemmaError`, `DictionaryError`.
  public init(
    _ model: GemmaModel, dictionaries: [SparseDictionary], sites: Set<Site> = [], sequences: [[Int32]],
    specialTokens: Set<Int32>, check: CancellationCheck = {}, progress: (Int) throws -> Void = { _ in }
  ) throws {
    self.dictionaries = dictionaries
    texts = sequences.count
    tokens = sequences.map { ids in ids.count { !specialTokens.contains($0) } }
    if let empty = tokens.firstIndex(of: 0) {
      throw EvaluationError.texts(path: "text \(empty + 1)", reason: "holds no token that counts")
    }
    let wanted = sites.union(dictionaries.flatMap { $0.shape.reads + $0.shape.writes })
    for site in wanted { widths[site] = model.shape.width(of: site) }
    var pools = Dictionary(uniqueKeysWithValues: Pooling.allCases.map { ($0, Pool(wanted, dictionaries)) })
    var first = 0
    while first < sequences.count {
      var (end, count) = (first, 0)
      while end < sequences.count, end == first || count + sequences[end].count <= Self.tokensAtOnce {
        count += sequences[end].count
        end += 1
      }
      let run = try model.forward(Array(sequences[first..<end]), capture: wanted, logits: .none, check: check)
      let rows = run.rows.segments.map { $0.filter { !specialTokens.contains(run.rows.tokens[$0]) } }
      let captured = CapturedActivations(run.activations)
      let values = try Dictionary(uniqueKeysWithValues: wanted.map { ($0, try captured.at($0).read()) })
      let codes = try dictionaries.map { try $0.encode(captured.at($0.shape.reads)) }
      for rows in rows {
        pools[.mean]?.add(rows, values: values, widths: widths, codes: codes)
        pools[.last]?.add(rows.suffix(1), values: values, widths: widths, codes: codes)
      }
      try progress(end - first)
      first = end
    }
    for (pooling, pool) in pools {
      activations[pooling] = pool.activations
      codes[pooling] = try pool.codes.map { try $0.map { try $0.code() } }
    }
  }

  /// Made of activations at hand, for each site [texts, width] row by row, and a code of each read of each dictionary.
  /// - Throws: `EvaluationError.shape` for sizes that disagree.
  package init(
    texts: Int, activations: [Pooling: [Site: [Float]]], dictionaries: [SparseDictionary] = [],
    codes: [Pooling: [[SparseCode]]] = [:]
  ) throws {
    (self.texts, self.activations, self.dictionaries, self.codes) = (texts, activations, dictionaries, codes)
    tokens = [Int](repeating: 1, count: texts)
    for (site, values) in activations.values.joined() {
      guard texts > 0, values.count % texts == 0, widths[site] ?? (values.count / texts) == values.count / texts else {
        throw EvaluationError.shape(what: "\(site)", expected: "\(texts) rows", found: "\(values.count) numbers")
      }
      widths[site] = values.count / texts
    }
    for code in codes.values.joined().joined() where code.rows != texts {
      throw EvaluationError.shape(what: "codes", expected: "\(texts) rows", found: "\(code.rows)")
    }
  }

  /// Rows of texts `rows` at `site`: [rows, width of the site].
  /// - Throws: `EvaluationError.missing`, `.shape`.
  public func rows(_ rows: [Int], at site: Site, _ pooling: Pooling) throws -> ProbeRows {
    guard let values = activations[pooling]?[site], let width = widths[site] else {
      throw EvaluationError.missing(what: "activations at \(site), pooled by \(pooling.rawValue)")
    }
    guard let last = rows.max() else { return try ProbeRows([], count: 0, columns: width) }
    guard last < texts, rows.allSatisfy({ $0 >= 0 }) else {
      throw EvaluationError.shape(what: "rows of texts", expected: "below \(texts)", found: "\(last)")
    }
    return try ProbeRows(
      rows.flatMap { values[$0 * width..<($0 + 1) * width].map(Double.init) }, count: rows.count, columns: width)
  }

  /// The pooled code of one read: a row for each text.
  /// - Throws: `EvaluationError.missing`.
  public func code(dictionary: Int, read: Int = 0, _ pooling: Pooling) throws -> SparseCode {
    guard let codes = codes[pooling], codes.indices ~= dictionary, codes[dictionary].indices ~= read else {
      throw EvaluationError.missing(what: "codes of read \(read) of dictionary \(dictionary)")
    }
    return codes[dictionary][read]
  }
}

/// Rows that grow by a text at a time.
private struct Pool {
  /// Pooled entries of one read.
  struct Entries {
    var offsets = [0]
    var features: [Int32] = []
    var values: [Float] = []
    private var sums: [Double]

    init(width: Int) { sums = [Double](repeating: 0, count: width) }

    mutating func add(_ rows: some Collection<Int>, of code: SparseCode) {
      var active: [Int32] = []
      for entry in rows.lazy.flatMap({ code.entries(ofRow: $0) }) {
        let feature = code.features[entry]
        // Activations are above 0, so a sum of 0 is one not begun.
        if sums[Int(feature)] == 0 { active.append(feature) }
        sums[Int(feature)] += Double(code.activations[entry])
      }
      for feature in active.sorted() {
        features.append(feature)
        values.append(Float(sums[Int(feature)] / Double(rows.count)))
        sums[Int(feature)] = 0
      }
      offsets.append(features.count)
    }

    func code() throws -> SparseCode { try SparseCode(rowOffsets: offsets, features: features, activations: values) }
  }

  var activations: [Site: [Float]]
  var codes: [[Entries]]

  init(_ sites: Set<Site>, _ dictionaries: [SparseDictionary]) {
    activations = Dictionary(uniqueKeysWithValues: sites.map { ($0, []) })
    codes = dictionaries.map(\.shape).map { shape in shape.reads.map { _ in Entries(width: shape.width) } }
  }

  mutating func add(
    _ rows: some Collection<Int>, values: [Site: [Float]], widths: [Site: Int], codes added: [DictionaryCode]
  ) {
    for (site, values) in values {
      let width = widths[site] ?? 0
      var sum = [Double](repeating: 0, count: width)
      for row in rows { for i in 0..<width { sum[i] += Double(values[row * width + i]) } }
      activations[site]?.append(contentsOf: sum.map { Float($0 / Double(rows.count)) })
    }
    for (dictionary, code) in added.enumerated() {
      for (read, layer) in code.layers.enumerated() { codes[dictionary][read].add(rows, of: layer) }
    }
  }
}
