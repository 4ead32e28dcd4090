public import Gemma
public import Sites
import Tensors

/// The model's activations at the words of first-letter prompts.
public struct LetterActivations: Sendable {
  /// The first letter of each word, 0 to 25.
  public let letters: [Int]
  /// Indices of the words to train on, and of those to test on.
  public let training, test: [Int]
  private let rows: [Site: LetterRows]

  /// Activations that were measured elsewhere.
  /// - Parameter rows: for each site one row a word.
  /// - Throws: `EvaluationError.shape` for letters, words or rows that do not fit together.
  public init(letters: [Int], training: [Int], test: [Int], rows: [Site: LetterRows]) throws {
    let count = FirstLetterConstants.letters.count
    guard letters.allSatisfy({ 0..<count ~= $0 }) else {
      throw EvaluationError.shape(what: "letters", expected: "0..<\(count)", found: "\(letters)")
    }
    guard (training + test).allSatisfy(letters.indices.contains) else {
      throw EvaluationError.shape(what: "words", expected: "\(letters.indices)", found: "\(training), \(test)")
    }
    for (site, rows) in rows {
      try rows.check("activations at \(site)")
      guard rows.count == letters.count else {
        throw EvaluationError.shape(
          what: "activations at \(site)", expected: "\(letters.count) rows", found: "\(rows.count)")
      }
    }
    (self.letters, self.training, self.test, self.rows) = (letters, training, test, rows)
  }

  /// Runs the model over every prompt, to the last of `sites`.
  /// - Parameters:
  ///   - batch: prompts in a pass.
  ///   - check: called between layers.
  ///   - progress: told of words done, in parts that sum to all of them.
  /// - Throws: `SiteError` for a site that the model does not have, `GemmaError`, and what `check` throws.
  public static func measure(
    _ model: GemmaModel, _ prompts: LetterPrompts, sites: Set<Site>, batch: Int = 16, check: CancellationCheck = {},
    progress: (Int) throws -> Void = { _ in }
  ) throws -> LetterActivations {
    var values: [Site: [Float]] = [:]
    for site in sites {
      try model.shape.validate(site)
      values[site] = []
      values[site]?.reserveCapacity(prompts.words.count * model.shape.width(of: site))
    }
    for start in stride(from: 0, to: prompts.words.count, by: max(batch, 1)) {
      let end = min(start + max(batch, 1), prompts.words.count)
      let result = try model.forward(
        (start..<end).map(prompts.prompt), capture: sites, logits: .none, check: check)
      let ends = result.rows.segments.map { $0.upperBound - 1 }
      for (site, x) in result.activations { try values[site]? += model.backend.select(x, rows: ends).read() }
      try progress(end - start)
    }
    return try LetterActivations(
      letters: prompts.words.map(\.letter), training: prompts.training, test: prompts.test,
      rows: Dictionary(
        uniqueKeysWithValues: values.map { ($0.key, .dense($0.value, width: model.shape.width(of: $0.key))) }))
  }

  /// Activations at `site`, one row a word.
  /// - Throws: `EvaluationError.missing` for a site that was not measured.
  public func at(_ site: Site) throws -> LetterRows {
    guard let rows = rows[site] else { throw EvaluationError.missing(what: "activations at \(site)") }
    return rows
  }
}
