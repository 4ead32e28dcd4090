import Checkpoints
import Foundation

/// The numbers of a `card`: what was measured when a dictionary was made, by name (`l0`, `fvu`, `delta_loss` …).
/// Whatever else a card tells is for people.
struct DictionaryCard {
  private(set) var figures: [String: Double] = [:]

  /// Reads a card; JSON that is no object holds no figures.
  /// - Parameter failure: the error for a key and what is wrong with it.
  init(_ scanner: inout JSONScanner, failure: (String, String) -> DictionaryError) throws {
    guard try scanner.peek() == .object else {
      try scanner.skipValue()
      return
    }
    try scanner.object { key, scanner in
      guard try scanner.peek() == .number else { return try scanner.skipValue() }
      let number = try scanner.double()
      guard number.isFinite else { throw failure(key, "is \(number); expected a finite number") }
      guard figures.updateValue(number, forKey: key) == nil else { throw failure(key, "stands there twice") }
    }
  }
}

extension SparseDictionary {
  /// The file beside the weights in which this program keeps how the dictionary was made.
  var trainingFile: URL { maxima.trainingFile }

  /// What was measured when the dictionary was made: the numbers under `card` in the `training.json` beside its
  /// weights, by name (`l0`, `fvu`, `delta_loss` …). Nil where there is no such file or it has no card.
  /// - Throws: `DictionaryError.file`, `.configuration` naming the key.
  public func card() throws -> [String: Double]? {
    guard FileManager.default.fileExists(atPath: trainingFile.path) else { return nil }
    return try readJSON(trainingFile, limit: maxima.mostTrainingBytes) { try Self.card($0, path: trainingFile.path) }
  }

  private static func card(_ bytes: UnsafeRawBufferPointer, path: String) throws -> [String: Double]? {
    func failure(_ key: String, _ reason: String) -> DictionaryError {
      .configuration(path: path, key: key, reason: reason)
    }
    var card: [String: Double]?
    var scanner = JSONScanner(bytes)
    do {
      try scanner.object { key, scanner in
        guard key == "card" else { return try scanner.skipValue() }
        guard card == nil else { throw failure(key, "stands there twice") }
        card = try DictionaryCard(&scanner) { failure("card.\($0)", $1) }.figures
      }
      try scanner.end()
    } catch let error as JSONError {
      throw failure("card", "cannot be read: \(error)")
    }
    return card.flatMap { $0.isEmpty ? nil : $0 }
  }
}
