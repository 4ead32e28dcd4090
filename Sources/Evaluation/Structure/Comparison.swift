import Dictionaries
import Sites

/// Checks that features of two dictionaries can be compared.
enum Comparison {
  /// - Throws: `EvaluationError.shape` unless both have the read, read there and write from there on the same sites of
  ///   the same model with vectors of the same length.
  static func check(_ a: SparseDictionary, _ b: SparseDictionary, read: Int) throws {
    func require(_ condition: Bool, _ expected: String, _ found: String) throws {
      guard condition else {
        throw EvaluationError.shape(what: "\(b.name), compared with \(a.name)", expected: expected, found: found)
      }
    }
    for dictionary in [a, b] where !(dictionary.shape.reads.indices ~= read) {
      throw EvaluationError.shape(
        what: dictionary.name, expected: "a read below \(dictionary.shape.reads.count)", found: "\(read)")
    }
    if let mine = a.modelName, let its = b.modelName { try require(mine == its, "the model \(mine)", its) }
    try require(
      a.shape.reads[read] == b.shape.reads[read], "read \(read) at \(a.shape.reads[read])", "\(b.shape.reads[read])")
    let (writes, others) = (a.shape.writes[read...], b.shape.writes[read...])
    try require(Array(writes) == Array(others), "writes to \(Array(writes))", "\(Array(others))")
    let (widths, other) = ((a.shape.inputWidth, a.shape.outputWidth), (b.shape.inputWidth, b.shape.outputWidth))
    try require(widths == other, "inputs and outputs of \(widths)", "\(other)")
  }

  /// - Throws: `EvaluationError.shape` for densities of another dictionary.
  static func check(_ density: FeatureDensity, of dictionary: SparseDictionary) throws {
    let expected = dictionary.shape.reads.map { _ in dictionary.shape.width }
    guard density.counts.map(\.count) == expected else {
      throw EvaluationError.shape(
        what: "densities of \(dictionary.name)", expected: "features \(expected)",
        found: "\(density.counts.map(\.count))")
    }
  }
}
