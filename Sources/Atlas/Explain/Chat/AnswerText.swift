import Checkpoints
import Foundation

/// What is made of a model's answers.
package enum AnswerText {
  /// An answer without what some models think aloud before it.
  static func shown(_ answer: String) -> Substring {
    guard let end = answer.range(of: "</think>", options: .backwards) else { return answer[...] }
    return answer[end.upperBound...]
  }

  /// The last list of exactly `count` numbers 0 and 1 (or true and false) in an answer; nil where there is none.
  package static func list(in answer: String, count: Int) -> [Bool]? {
    var found: [Bool]?
    var text = Array(shown(answer).utf8)
    text.withUnsafeMutableBytes { buffer in
      let bytes = UnsafeRawBufferPointer(buffer)
      for start in bytes.indices where bytes[start] == UInt8(ascii: "[") {
        if let list = list(UnsafeRawBufferPointer(rebasing: bytes[start...])), list.count == count { found = list }
      }
    }
    return found
  }

  /// The list that a text begins with, whatever follows it.
  private static func list(_ bytes: UnsafeRawBufferPointer) -> [Bool]? {
    var scanner = JSONScanner(bytes, maximumDepth: 1)
    var values: [Bool] = []
    do {
      try scanner.array { scanner in
        switch try scanner.peek() {
        case .bool: values.append(try scanner.bool())
        case .number:
          let number = try scanner.double()
          guard number == 0 || number == 1 else { throw scanner.error("expected 0 or 1") }
          values.append(number == 1)
        default: throw scanner.error("expected 0 or 1")
        }
      }
    } catch {
      return nil
    }
    return values
  }

  /// Whether an answer that is not what was asked for begins as people decline.
  package static func isRefusal(_ answer: String) -> Bool {
    let text = shown(answer).lowercased().replacing("’", with: "'")
      .trimmingCharacters(in: .whitespacesAndNewlines)
    let beginnings = [
      "i'm sorry", "i am sorry", "sorry", "i can't", "i cannot", "i can not", "i won't", "i will not", "i'm unable",
      "i am unable", "i'm not able", "i am not able", "i must decline", "i apologize", "i apologise", "as an ai",
      "unfortunately, i can",
    ]
    return beginnings.contains { text.hasPrefix($0) }
  }
}
