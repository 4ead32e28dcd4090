import Foundation
import TestSupport

/// A server that answers the questions of `gscope explain` as a model might: one label for every feature, which it then
/// says fits every passage.
enum FakeJudge {
  static let label = "on the word “word7”"
  static let step = ScriptedServer.Step.reply { .answer(answer($0)) }

  private static func answer(_ request: ScriptedServer.Request) -> String {
    let body = (try? JSONSerialization.jsonObject(with: Data(request.body.utf8))) as? [String: Any]
    let question = (body?["messages"] as? [[String: Any]])?.last?["content"] as? String ?? ""
    let lines = question.split(separator: "\n")
    let passages = lines.count { line in line.firstIndex(of: ".").map { Int(line[..<$0]) != nil } ?? false }
    let text = question.hasPrefix("Description: ") ? "\([Int](repeating: 1, count: passages))" : "LABEL: \(label)"
    let answer: [String: Any] = [
      "choices": [["index": 0, "message": ["role": "assistant", "content": text], "finish_reason": "stop"]],
      "usage": ["prompt_tokens": request.body.utf8.count / 4, "completion_tokens": text.utf8.count],
    ]
    return (try? JSONSerialization.data(withJSONObject: answer)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
  }
}
