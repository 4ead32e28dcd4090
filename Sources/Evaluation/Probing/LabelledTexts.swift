import Activations
public import Foundation
public import Tokenization

/// One text of a labelled set.
public struct LabelledText: Equatable, Sendable {
  public let id: String
  public let text: String
  /// Its class by label: `["topic": "sport"]`.
  public let labels: [String: String]
  /// Whether it is kept for testing.
  public let isTest: Bool

  public init(id: String, text: String, labels: [String: String], isTest: Bool) {
    (self.id, self.text, self.labels, self.isTest) = (id, text, labels, isTest)
  }
}

/// Texts with labels that probes are trained to tell, and tested on.
///
/// A file is JSONL, plain or gzipped; each line is `{"id","text","labels":{"topic":"sport"},"split":"train"|"test"}`,
/// other keys are passed over. Without `split` (then in no line) one text in five is for testing, by a hash of the text
/// that is the same everywhere. A text need not have every label.
public struct LabelledTexts: Equatable, Sendable {
  /// A class of a label needs so many texts.
  public static let minimumClass = 20

  /// The file's name without extensions.
  public let name: String
  public let texts: [LabelledText]
  /// As errors name it.
  let path: String

  /// - Throws: `EvaluationError.text`, naming line and key, `.texts` for a set that cannot be used, `CheckpointError`.
  public init(contentsOf url: URL) throws {
    let name = url.lastPathComponent.prefix { $0 != "." }
    try self.init(LabelledTextFile.read(url), name: String(name), path: url.path)
  }

  /// - Parameter texts: `isTest` as it is to be used.
  /// - Throws: `EvaluationError.texts` for ids given twice, a text in both splits, a class that is too small.
  public init(_ texts: [LabelledText], name: String) throws { try self.init(texts, name: name, path: name) }

  private init(_ texts: [LabelledText], name: String, path: String) throws {
    (self.texts, self.name, self.path) = (texts, name, path)
    var (ids, splits): (Set<String>, [String: Bool]) = ([], [:])
    for text in texts {
      guard ids.insert(text.id).inserted else { throw failure("two texts have the id '\(text.id)'") }
      guard splits.updateValue(text.isTest, forKey: text.text) ?? text.isTest == text.isTest else {
        throw failure("the text of '\(text.id)' is for training and for testing")
      }
    }
    guard !labels.isEmpty else { throw failure("no text has a label") }
    for label in labels {
      for name in try classes(of: label) {
        let (train, test) = (rows(label, name, isTest: false).count, rows(label, name, isTest: true).count)
        guard train + test >= Self.minimumClass, train > 0, test > 0 else {
          throw failure(
            "class '\(name)' of label '\(label)' has \(train) texts to train and \(test) to test on, expected "
              + "\(Self.minimumClass) or more, and both kinds")
        }
      }
    }
  }

  private func failure(_ reason: String) -> EvaluationError { .texts(path: path, reason: reason) }

  /// Names of labels, sorted.
  public var labels: [String] { Set(texts.flatMap(\.labels.keys)).sorted() }

  /// Classes of a label, sorted.
  /// - Throws: `EvaluationError.texts` for a label that no text has.
  public func classes(of label: String) throws -> [String] {
    let found = Set(texts.compactMap { $0.labels[label] }).sorted()
    guard !found.isEmpty else {
      throw failure("no text has the label '\(label)'; there are \(labels.joined(separator: ", "))")
    }
    return found
  }

  /// Places of the texts of a class.
  public func rows(_ label: String, _ name: String, isTest: Bool) -> [Int] {
    texts.indices.filter { texts[$0].isTest == isTest && texts[$0].labels[label] == name }
  }

  /// The first tokens of every text, `<bos>` and at most `context` in all.
  /// - Throws: `EvaluationError.option` for a context without room for a token.
  public func sequences(_ tokenizer: GemmaTokenizer, context: Int = 128) throws -> [[Int32]] {
    guard context >= 2 else {
      throw EvaluationError.option(name: "context", reason: "is \(context), expected 2 or more")
    }
    return texts.map { Array(tokenizer.encode($0.text, specials: .asText).prefix(context)) }
  }

  /// `rows` in an order that depends on the seed, what it is drawn for and the texts' ids alone.
  func drawn(_ rows: [Int], seed: UInt64, for purpose: String) -> [Int] {
    rows.map { (row: $0, key: StableHash.of("\(seed)\n\(purpose)\n\(texts[$0].id)".utf8)) }
      .sorted { ($0.key, $0.row) < ($1.key, $1.row) }.map(\.row)
  }
}
