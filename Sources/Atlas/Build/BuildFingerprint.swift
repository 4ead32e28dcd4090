import Activations
import Checkpoints
import Dictionaries
import Foundation
import Sites
import Tokenization

/// The model an atlas is about, as it is told from others.
public struct AtlasModel: Equatable, Sendable {
  /// As Hugging Face has it, or the file's name.
  public let name: String
  /// SHA-256 of the weights (`WeightHash`).
  public let sha256: String

  /// A model; nothing is checked.
  public init(name: String, sha256: String) {
    self.name = name
    self.sha256 = sha256
  }
}

/// Everything a build depends on, by name. Two builds of equal fingerprints give equal atlases.
struct BuildFingerprint: Equatable {
  /// Raised when what is counted changes its meaning.
  static let definitions = 1

  /// In the order in which differences are told.
  let fields: [(key: String, value: String)]

  static func == (a: BuildFingerprint, b: BuildFingerprint) -> Bool { a.json == b.json }

  init(
    model: AtlasModel, tokenizer: GemmaTokenizer, corpus: Corpus, dictionaries: [SparseDictionary],
    hashes: [String], options: AtlasOptions, check: () throws -> Void
  ) throws {
    var fields: [(key: String, value: String)] = [
      ("definitions", "\(Self.definitions)"), ("model", model.sha256), ("tokenizer", Self.hash(tokenizer)),
      ("corpus", try corpus.sha256(check: check)),
      ("dictionaries", dictionaries.map(\.name).joined(separator: " ")),
    ]
    for (dictionary, hash) in zip(dictionaries, hashes) {
      fields.append(("dictionary \(dictionary.name)", "\(dictionary.shape), \(hash)"))
    }
    fields += [
      ("tokens", "\(options.tokens)"), ("context", "\(options.context)"), ("batch", "\(options.batch)"),
      ("seed", "\(options.seed)"), ("examples", "\(options.examples)"),
      ("window", "\(options.before) + 1 + \(options.after)"), ("pool", "\(options.poolWindows)"),
    ]
    self.fields = fields
  }

  /// Reads `json`; nil for a text that is none.
  init?(json: String) {
    guard case .array(let list)? = try? JSONTree(Array(json.utf8)) else { return nil }
    var fields: [(key: String, value: String)] = []
    for item in list {
      guard case .array(let pair) = item, pair.count == 2, case .string(let key) = pair[0],
        case .string(let value) = pair[1]
      else { return nil }
      fields.append((key, value))
    }
    self.fields = fields
  }

  var json: String {
    "[" + fields.map { "[\(JSONText.quoted($0.key)),\(JSONText.quoted($0.value))]" }.joined(separator: ",") + "]"
  }

  /// The first thing in which `other` differs.
  func difference(from other: BuildFingerprint) -> (key: String, own: String, others: String)? {
    for (index, field) in fields.enumerated() {
      let there = other.fields.first { $0.key == field.key }?.value
      if there != field.value { return (field.key, field.value, there ?? "none") }
      if index == fields.count - 1, other.fields.count != fields.count {
        return ("dictionaries", "\(fields.count) settings", "\(other.fields.count)")
      }
    }
    return nil
  }

  /// Of every piece, in the order of their ids.
  static func hash(_ tokenizer: GemmaTokenizer) -> String {
    var hash = SHA256()
    for id in 0..<Int32(clamping: tokenizer.vocabularySize) { hash.add((tokenizer.piece(id) + "\0").utf8) }
    return hash.hex
  }
}
