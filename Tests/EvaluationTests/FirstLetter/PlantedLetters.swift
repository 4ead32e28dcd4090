import Evaluation
import Foundation
import Sites
import TestSupport
import Tensors

/// Words whose letter is planted in their activations: x = 4 e, e the letter's axis, and a little noise.
struct PlantedLetters {
  static let site = Site(.residPost, layer: 1)
  static let wordsPerLetter = 30
  static let width = 26 + 40
  let activations: LetterActivations
  private let x: [[Float]]
  private let letters: [Int]
  private let directions: [[Float]]

  /// - Parameters:
  ///   - hidden: letters, from the last, that activations do not show.
  ///   - extra: words that also have a direction of their own, a quarter as long as the letter's.
  init(hidden: Int = 0, extra: (Int) -> Bool = { _ in false }) throws {
    var random = SeededRandom(seed: 11)
    letters = (0..<26 * Self.wordsPerLetter).map { $0 / Self.wordsPerLetter }
    directions = letters.map { _ in
      let row = [Float](repeating: 0, count: 26) + random.floats(Self.width - 26)
      let norm = row.reduce(0) { $0 + $1 * $1 }.squareRoot()
      return row.map { $0 / norm }
    }
    var x: [[Float]] = []
    for (word, letter) in letters.enumerated() {
      var row = random.floats(Self.width, scale: 0.02)
      if letter < 26 - hidden { row[letter] += 4 }
      if extra(word) { for i in row.indices { row[i] += directions[word][i] } }
      x.append(row)
    }
    self.x = x
    // Six test words a letter, 0, 5, …, 25: as many odd as even.
    let (test, training) = (letters.indices.filter { $0 % 5 == 0 }, letters.indices.filter { $0 % 5 != 0 })
    activations = try LetterActivations(
      letters: letters, training: training, test: test,
      rows: [Self.site: .dense(x.flatMap { $0 }, width: Self.width)])
  }

  /// In batches of 8: in batches of 64 so few words make no more than 500 steps, too few for Adam to move far enough.
  func probes(_ scaling: LetterProbes.Scaling = .unit) throws -> LetterProbes {
    var options = FirstLetterConstants.denseProbe
    options.batch = 8
    return try LetterProbes(activations, site: Self.site, scaling: scaling, options: options, seed: 3)
  }

  /// A code with one active feature a word.
  func code(_ feature: (_ word: Int, _ letter: Int) -> (feature: Int, activation: Float)) throws -> SparseCode {
    let active = letters.enumerated().map { feature($0.offset, $0.element) }
    return try SparseCode(
      rowOffsets: Array(0...letters.count), features: active.map { Int32($0.feature) },
      activations: active.map(\.activation))
  }

  func axis(_ letter: Int) -> [Float] { (0..<Self.width).map { $0 == letter ? 1 : 0 } }

  /// (4 e + u)/√17 of a word: its letter's axis and its own direction.
  func absorber(ofWord word: Int) -> [Float] {
    zip(axis(letters[word]), directions[word]).map { (4 * $0 + $1) / Float(17).squareRoot() }
  }
}
