import Checkpoints
import Dictionaries
import Foundation
import Gemma
import Sites
import Tensors

/// What a search needs of a text from the model.
struct TextSearch {
  let text: TokenizedText
  private let opened: OpenedModel

  init(_ text: TokenizedText, opened: OpenedModel) {
    self.text = text
    self.opened = opened
  }

  /// The text that a flag gives.
  init(_ text: String, flag: String, opened: OpenedModel) throws {
    let input = InputText(id: nil, source: flag, content: .text(text))
    self.init(
      try TokenizedText(input, tokenizer: opened.tokenizer, vocabularySize: opened.configuration.vocabularySize),
      opened: opened)
  }

  /// Positions of the tokens that count, or the one that was asked for.
  /// - Throws: `CommandError.usage` where there is none, or it does not count.
  func rows(_ position: Int?) throws -> [Int] {
    let counted = text.ids.indices.filter { !opened.isSpecial(text.ids[$0]) }
    guard !counted.isEmpty else { throw CommandError.usage("\(text.source) has no token but special ones") }
    guard let position else { return counted }
    guard text.ids.indices ~= position else {
      throw CommandError.usage("--position is \(position); \(text.source) has tokens 0 to \(text.count - 1)")
    }
    guard counted.contains(position) else {
      throw CommandError.usage(
        "--position \(position) of \(text.source) is a special token, on which dictionaries are not trained")
    }
    return [position]
  }

  /// The place of the token right behind `<bos>`.
  var opening: Int? { text.ids.count > 1 && text.ids[0] == opened.configuration.beginToken ? 1 : nil }

  /// What each dictionary makes of the text.
  func codes(_ dictionaries: [SparseDictionary]) throws -> [(dictionary: String, code: DictionaryCode)] {
    var parts = dictionaries.map { _ in [DictionaryCode]() }
    try pass(Set(dictionaries.flatMap(\.shape.reads))) { result, _ in
      for (i, dictionary) in dictionaries.enumerated() {
        try Interruption.check()
        parts[i].append(try dictionary.encode(result.activations(at: dictionary.shape.reads, of: opened)))
      }
    }
    return try zip(dictionaries, parts).map { ($0.name, try DictionaryCode.joined($1)) }
  }

  /// The mean of what stands at `site` over the tokens that count, or what stands at the last of them.
  func mean(at site: Site, last: Bool) throws -> [Double] {
    let counted = try rows(nil)
    let chosen = Set(last ? Array(counted.suffix(1)) : counted)
    var sum = [Double](repeating: 0, count: opened.model.shape.width(of: site))
    try pass([site]) { result, range in
      guard let tensor = try result.activations(at: [site], of: opened).first else { return }
      let values = try tensor.read()
      for row in range where chosen.contains(row) {
        let start = (row - range.lowerBound) * sum.count
        for i in sum.indices { sum[i] += Double(values[start + i]) / Double(chosen.count) }
      }
    }
    return sum
  }

  private func pass(_ sites: Set<Site>, _ body: (ForwardResult, Range<Int>) throws -> Void) throws {
    let progress = Progress("search", total: text.count, unit: "tokens")
    try TextPass(ids: text.ids, opened: opened, progress: progress).run(capture: sites, body: body)
  }
}

/// `FILE#TENSOR`
struct VectorName {
  let file: String
  let tensor: String

  init?(_ text: String) {
    guard let sign = text.lastIndex(of: "#"), sign > text.startIndex else { return nil }
    file = String(text[..<sign])
    tensor = String(text[text.index(after: sign)...])
    if tensor.isEmpty { return nil }
  }

  /// The tensor's numbers.
  /// - Throws: `CommandError.input` for one that is no vector, `CheckpointError`.
  func read() throws -> [Float] {
    let found = try SafetensorsFile(URL(filePath: file)).tensor(tensor)
    guard found.shape.count == 1 || found.shape.count == 2 && found.shape[0] == 1 else {
      throw CommandError.input(
        source: file, reason: "tensor '\(tensor)' has shape \(found.shape), expected one vector")
    }
    return try found.read()
  }
}
