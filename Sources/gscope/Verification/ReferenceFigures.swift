import Checkpoints
import Dictionaries
import Foundation

/// Figures that a dictionary is expected to reach.
struct ReferenceFigures {
  /// Where they come from.
  let source: String
  let l0: Double?
  let fvu: Double?
  let deltaLoss: Double?

  /// The figures measured when it was made (`training.json` beside it, under `card`), else the L0 it was trained for;
  /// nil when nothing is known.
  init?(_ dictionary: SparseDictionary) throws {
    let isFile = dictionary.url.pathExtension == "npz" || dictionary.url.pathExtension == "safetensors"
    let folder = isFile ? dictionary.url.deletingLastPathComponent() : dictionary.url
    let file = folder.appending(path: "training.json")
    if FileManager.default.fileExists(atPath: file.path), let card = try Self.card(file) {
      source = file.lastPathComponent
      l0 = card["l0"] ?? dictionary.targetL0
      fvu = card["fvu"]
      deltaLoss = card["delta_loss"]
      return
    }
    guard let target = dictionary.targetL0 else { return nil }
    source = dictionary.configuration.targetL0 == nil ? "the path" : "config.json (target)"
    l0 = target
    fvu = nil
    deltaLoss = nil
  }

  private static func card(_ file: URL) throws -> [String: Double]? {
    var card: [String: Double]?
    do {
      try Data(contentsOf: file, options: .mappedIfSafe).withUnsafeBytes { bytes in
        var scanner = JSONScanner(bytes)
        try scanner.object { key, scanner in
          guard key == "card", try scanner.peek() == .object else { return try scanner.skipValue() }
          var numbers: [String: Double] = [:]
          try scanner.object { key, scanner in
            if try scanner.peek() == .number { numbers[key] = try scanner.double() } else { try scanner.skipValue() }
          }
          card = numbers
        }
        try scanner.end()
      }
    } catch let error as JSONError {
      throw CommandError.file(path: file.path, reason: "is not JSON: \(error)")
    }
    return card
  }

  /// What is wrong with measured figures, in words; nil when they are as expected. Without a card a dictionary that
  /// misses more than half of the variance, or is off its target L0 by more than four times, is taken to be faulty.
  static func fault(_ measured: DictionaryStatistics, against reference: ReferenceFigures?) -> String? {
    guard let fvu = measured.fvu, let l0 = measured.l0 else {
      return "the activations do not vary, so nothing can be said"
    }
    let limit = reference?.fvu.map { $0 * 2 + 0.02 } ?? 0.5
    if !(fvu <= limit) {
      let expected = reference?.fvu.map { "the card says \(Format.percent($0))" } ?? "expected below 50 %"
      return "FVU is \(Format.percent(fvu)), \(expected)"
    }
    if let target = reference?.l0, target > 0 {
      let factor = reference?.fvu == nil ? 4.0 : 2.0
      if l0 > target * factor || l0 < target / factor {
        return "L0 is \(Format.decimal(l0, 1)), \(reference?.source ?? "") says \(Format.decimal(target, 1))"
      }
    }
    return nil
  }

  /// Published for Gemma 3 1B (pretrained) on tiny prompts, in a third party's run of the official Gemma Scope 2
  /// tutorial; the technical paper has figures without tables. Not yet repeated with this program.
  static let published: [(what: String, l0: String, fvu: String, deltaLoss: String)] = [
    ("resid_post.22 65k medium", "69.9", "2.27 %", "+0.167"),
    ("mlp_out.17 16k medium, fed layer 22", "121.6", "17.1 %", "-"),
    ("attn_out.17 16k medium, fed layer 22", "108.4", "9.99 %", "-"),
    ("crosscoder 262k medium (4 layers)", "75.6", "4.49 %", "+0.15 … +0.80"),
    ("clt 262k big affine (26 layers)", "258", "30.7 %", "-0.05 … +0.04"),
  ]
}
