import Foundation
import Tensors

extension TrainingStep {
  /// Rows encoded at once: bounds the memory of the encoder's lists.
  private static let chunk = 2048
  /// Rows at once where nothing may be left out: bounds the pairs.
  private static let smallChunk = 512

  /// What one source's features, or some of them, encode with.
  struct Encoder {
    var weights: HostArray<Float>
    var bias: HostArray<Float>
    var threshold: HostArray<Float>
    var width: Int
  }

  var encoders: [Encoder] {
    state.sources.map {
      Encoder(
        weights: $0.encoder.value, bias: $0.encoderBias.value, threshold: $0.candidateThreshold, width: $0.width)
    }
  }

  /// Pairs of every source.
  struct Selection {
    var codes: [PairCode]
    /// The smallest selected activation of TopK (its mean over tokens) and BatchTopK.
    var smallest: Float?
    /// Where the next step looks for candidates.
    var candidateThreshold: Float?
  }

  /// For JumpReLU the pairs above θ − ε/2, else those selected.
  func encode() throws -> Selection {
    switch state.objective.activation {
    case .jumpReLU:
      for source in state.sources {
        for i in 0..<source.width {
          let threshold = exp(source.logThreshold.value[i])
          source.threshold[i] = threshold
          source.candidateThreshold[i] = threshold - settings.bandwidth / 2
        }
      }
      return Selection(codes: try encode(encoders))
    case .batchTopK:
      return try selectOverBatch(k: settings.k)
    case .topK:
      let (codes, cuts) = try selectOverTokens(k: settings.k, encoders)
      return Selection(codes: codes, smallest: Float(cuts.reduce(0.0) { $0 + Double($1) } / Double(tokens)))
    }
  }

  /// Pairs of every source above its encoder's thresholds.
  private func encode(_ encoders: [Encoder]) throws -> [PairCode] {
    try encoders.indices.map { source in
      let code = try PairCode()
      for first in stride(from: 0, to: tokens, by: Self.chunk) {
        try code.append(encode(encoders[source], source, rows: first..<min(first + Self.chunk, tokens)))
      }
      return code
    }
  }

  private func encode(_ encoder: Encoder, _ source: Int, rows: Range<Int>) throws -> PairCode {
    try ops.encodePairs(
      memory.inputs[source], rows: rows, d: shape.inputWidth, weights: encoder.weights, bias: encoder.bias,
      threshold: encoder.threshold, width: encoder.width)
  }

  // MARK: The k · batch largest of the batch

  /// Selects over the batch. Candidates lie above a threshold guessed from the step before (at first, from some rows);
  /// where it proves too high, a lower one is tried. What is selected does not depend on the guesses.
  private func selectOverBatch(k: Int) throws -> Selection {
    let wanted = k * tokens
    var codes: [PairCode] = []
    for guess in Guess.allCases {
      guard let threshold = try candidateThreshold(guess, k: k) else { continue }
      for encoder in encoders { encoder.threshold.fill(threshold) }
      codes = try encode(encoders)
      let (cut, total) = try RadixSelect(reducer).cut(codes, count: wanted)
      guard total >= wanted || guess == .none else { continue }
      for code in codes { code.keep { _ in cut } }
      return Selection(codes: codes, smallest: cut, candidateThreshold: 0.9 * cut)
    }
    return Selection(codes: codes)  // Not reached: the last guess is always taken.
  }

  /// Where candidates are looked for, one after another until there are enough.
  private enum Guess: CaseIterable {
    case lastStep, someRows, none
  }

  /// The threshold of a guess; nil when there is none.
  private func candidateThreshold(_ guess: Guess, k: Int) throws -> Float? {
    switch guess {
    case .lastStep: state.candidateThreshold >= 0 ? state.candidateThreshold : nil
    // The rows may be stronger than the others: then all positive numbers are candidates.
    case .someRows: 0.9 * (try sampledCut(perToken: Float(k)))
    case .none: 0
    }
  }

  /// The value that `perToken` activations a token exceed, judged by rows spread over the batch; 0 when fewer are
  /// positive.
  func sampledCut(perToken: Float) throws -> Float {
    for encoder in encoders { encoder.threshold.fill(0) }
    let rows = min(tokens, Self.smallChunk)
    let codes = try encoders.indices.map { try encode(encoders[$0], $0, rows: 0..<rows) }
    return try RadixSelect(reducer).cut(codes, count: Int((perToken * Float(rows)).rounded())).cut
  }

  // MARK: The k largest of each token

  /// Selects for each token over all encoders' features; `cuts` are the tokens' smallest selected values, 0 where fewer
  /// than k are positive.
  func selectOverTokens(k: Int, _ encoders: [Encoder]) throws -> (codes: [PairCode], cuts: [Float]) {
    let codes = try encoders.map { _ in try PairCode() }
    var cuts: [Float] = []
    var guess: Float = 0
    for first in stride(from: 0, to: tokens, by: Self.smallChunk) {
      let rows = first..<min(first + Self.smallChunk, tokens)
      var chunk = try candidates(rows, encoders, above: guess)
      if guess > 0, rows.indices.contains(where: { row in chunk.reduce(0) { $0 + $1.entryCount(row - first) } < k }) {
        chunk = try candidates(rows, encoders, above: 0)
      }
      let chunkCuts = try TokenSelect(reducer).cuts(chunk, rows: rows.count, k: k)
      for (code, part) in zip(codes, chunk) {
        part.keep { chunkCuts[$0] }
        try code.append(part)
      }
      cuts += chunkCuts
      guess = 0.8 * (chunkCuts.min() ?? 0)
    }
    return (codes, cuts)
  }

  private func candidates(_ rows: Range<Int>, _ encoders: [Encoder], above guess: Float) throws -> [PairCode] {
    try encoders.indices.map { source in
      encoders[source].threshold.fill(guess)
      return try encode(encoders[source], source, rows: rows)
    }
  }
}

extension PairCode {
  /// Entries of one row.
  func entryCount(_ row: Int) -> Int { Int(rowOffsets[row + 1] - rowOffsets[row]) }
}
