import Gemma
import Tensors

/// What the model expects after one row of the residual stream.
struct Prediction {
  /// The likeliest tokens in falling order, with natural log probabilities.
  let top: [(id: Int32, logprob: Float)]
  /// Of the token that does follow; nil when none was asked for.
  let following: Float?

  func json(_ writer: TokenWriter) -> JSONValue {
    .array(
      top.map {
        ["id": .integer(Int($0.id)), "piece": writer.piece($0.id), "logprob": .float($0.logprob)]
      })
  }
}

/// Reads next-token predictions from rows of a residual stream, so many rows at a time that their logits stay small: a
/// vocabulary of 262,144 takes a megabyte a row.
struct PredictionReader {
  let model: GemmaModel
  let topK: Int

  /// - Parameters:
  ///   - residual: [n, width].
  ///   - rows: which of its rows to read.
  ///   - following: for each of `rows` the token whose log probability is wanted.
  ///   - wantsTop: whether the likeliest tokens of a row, by its index within `rows`, are wanted.
  ///   - visit: gets the logits of each piece, [rows, vocabulary], with the index within `rows` of its first row.
  func read(
    _ residual: Tensor, rows: [Int], following: [Int32?], wantsTop: (Int) -> Bool = { _ in true }, progress: Progress,
    visit: (Int, Tensor) throws -> Void = { _, _ in }
  ) throws -> [Prediction] {
    let backend = model.backend
    let vocabulary = model.configuration.vocabularySize
    var predictions: [Prediction] = []
    var start = 0
    while start < rows.count {
      let piece = Array(rows[start..<min(start + model.rowsUnembeddedAtOnce, rows.count)])
      let logits = try model.unembed(try backend.select(residual, rows: piece))
      try visit(start, logits)
      let normalisers = try backend.logSumExp(logits)
      let tops = try tops(logits, wanted: piece.indices.map { wantsTop(start + $0) })
      let wanted = piece.indices.filter { following[start + $0] != nil }
      let picks = wanted.map { $0 * vocabulary + Int(following[start + $0] ?? 0) }
      let picked = try backend.select(logits.reshaped([logits.count, 1]), rows: picks).read()
      var followingLogits: [Int: Float] = [:]
      for (i, value) in zip(wanted, picked) { followingLogits[i] = value }
      for i in piece.indices {
        predictions.append(
          Prediction(
            top: tops[i].map { (Int32($0.index), $0.value - normalisers[i]) },
            following: followingLogits[i].map { $0 - normalisers[i] }))
      }
      start += piece.count
      try progress.advance(by: 0)
    }
    return predictions
  }

  /// The likeliest tokens of the rows that are `wanted`, nothing for the others.
  private func tops(_ logits: Tensor, wanted: [Bool]) throws -> [[(index: Int, value: Float)]] {
    var tops = [[(index: Int, value: Float)]](repeating: [], count: wanted.count)
    guard topK > 0 else { return tops }
    var start = 0
    while let first = wanted[start...].firstIndex(of: true) {
      start = wanted[first...].firstIndex(of: false) ?? wanted.count
      let found = try model.backend.topK(
        logits.rows(first..<start), min(topK, model.configuration.vocabularySize))
      tops.replaceSubrange(first..<start, with: found)
    }
    return tops
  }
}
