public import Dictionaries
import Sites
public import Tensors

/// First-letter probes, feature splitting and absorption (Chanin et al. 2024, arXiv 2409.14507; SAEBench 0.6.0).
///
/// ```swift
/// let words = try LetterWords(tokenizer, perLetter: 300, seed: 0)
/// let prompts = try LetterPrompts(words, tokenizer: tokenizer, seed: 0)
/// let activations = try LetterActivations.measure(model, prompts, sites: [site])
/// // For all dictionaries that write the site:
/// let probes = try LetterProbes(activations, site: site, scaling: .centred, seed: 0)
/// let result = try FirstLetterTask.measure(dictionary, activations, probes: probes, seed: 0)
/// ```
public enum FirstLetterTask {
  /// Measures a dictionary that reads one site and writes one; letters are looked for where it writes.
  /// - Parameters:
  ///   - probes: of the site written.
  ///   - sparse: how the L1 probe is trained whose weights choose a letter's features; with as many steps as published
  ///     when nil.
  ///   - check: called between epochs and letters.
  /// - Throws: `EvaluationError.shape` for a dictionary of several layers or probes of another site, `.missing` for a
  ///   site that was not measured, `DictionaryError`, `TensorError`, and what `check` throws.
  public static func measure(
    _ dictionary: SparseDictionary, _ activations: LetterActivations, probes: LetterProbes,
    sparse: MultiProbe.Options? = nil, seed: UInt64, check: () throws -> Void = {}
  ) throws -> FirstLetterResult {
    let shape = dictionary.shape
    guard !shape.isMultiLayer, let read = shape.reads.first, shape.writes == [probes.site] else {
      throw EvaluationError.shape(
        what: "first letters at \(probes.site)", expected: "a dictionary that writes this site alone",
        found: "\(shape)")
    }
    guard case .dense(let values, let width) = try activations.at(read) else {
      throw EvaluationError.missing(what: "dense activations at \(read)")
    }
    let x = try dictionary.backend.tensor(values, shape: [values.count / max(width, 1), width])
    return try measure(
      dictionary.encode(x, read: 0), width: shape.width, decoderRow: { try dictionary.decoderRow(feature: $0) },
      activations, probes: probes, sparse: sparse, seed: seed, check: check)
  }

  /// Measures a code of the words.
  /// - Parameters:
  ///   - code: one row for each word of `activations`, features below `width`.
  ///   - decoderRow: what a feature writes, as wide as the probes' site.
  /// - Throws: as the other, and what `decoderRow` throws.
  public static func measure(
    _ code: SparseCode, width: Int, decoderRow: @escaping (Int) throws -> [Float], _ activations: LetterActivations,
    probes: LetterProbes, sparse options: MultiProbe.Options? = nil, seed: UInt64, check: () throws -> Void = {}
  ) throws -> FirstLetterResult {
    let rows = LetterRows.sparse(code, width: width)
    try rows.check("code of the words")
    guard code.rows == activations.letters.count else {
      throw EvaluationError.shape(
        what: "code of the words", expected: "\(activations.letters.count) rows", found: "\(code.rows)")
    }
    let scaled = try rows.scaled(by: probes.scale)
    let (training, test) = (activations.training, activations.test)
    let letters = (training: training.map { activations.letters[$0] }, test: test.map { activations.letters[$0] })
    let sparse = try SparseLetterProbes(
      training: scaled.selecting(training), letters.training, test: scaled.selecting(test), letters.test,
      sizes: Array(1...FirstLetterConstants.mostSplitFeatures), choice: .largest, options: options, seed: seed,
      check: check)
    let measured = FirstLetterConstants.letters.enumerated().map { letter, name in
      let scores = sparse.scores[letter]
      return LetterProbe(
        letter: name, trainingWords: letters.training.count { $0 == letter },
        testWords: letters.test.count { $0 == letter }, dense: probes.dense[letter],
        features: scores.filter { FirstLetterConstants.sparseProbeSizes.contains($0.key) },
        channels: probes.channels[letter],
        split: SplitFeatures(
          candidates: sparse.columns[letter], f1: sparse.columns[letter].indices.map { scores[$0 + 1]?.f1 }))
    }
    guard probes.isApplicable else { return .notApplicable(probes: measured) }
    var decoder = WrittenRows(row: decoderRow, width: probes.mean.count)
    let absorbed = try probes.countingLetters.map { letter in
      try check()
      return try absorption(letter, measured[letter].split, code, &decoder, activations, probes)
    }
    return .measured(probes: measured, absorption: AbsorptionResult(absorbed, decoderNorms: decoder.norms))
  }

  /// The words are the letter's own among the test words for which its dense probe says yes.
  private static func absorption(
    _ letter: Int, _ split: SplitFeatures, _ code: SparseCode, _ decoder: inout WrittenRows,
    _ activations: LetterActivations, _ probes: LetterProbes
  ) throws -> LetterAbsorption {
    let direction = probes.direction(letter) ?? probes.mean.map { _ in 0 }
    let words = activations.test.enumerated().filter { place, word in
      activations.letters[word] == letter && probes.logits[place * probes.probe.outputs + letter] > 0
    }
    let x = try activations.at(probes.site)
    let projections = words.map { _, word in
      var sum = 0.0
      x.forEach(inRow: word) { sum += $1 * direction[$0] }
      return sum
    }
    let active = try words.map { try decoder.active(code, row: $0.element, direction: direction) }
    return LetterAbsorption(
      letter: letter, own: split.features, projections: projections,
      mean: zip(probes.mean, direction).reduce(0) { $0 + $1.0 * $1.1 }, active: active)
  }
}
