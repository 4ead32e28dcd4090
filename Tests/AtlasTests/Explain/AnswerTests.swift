import Atlas
import Foundation
import Testing

@Suite struct AnswerTests {
  @Test(arguments: [
    ("[1, 0, 1]", [true, false, true]), ("[1,0,true]", [true, false, true]), ("[1.0, 0, false]", [true, false, false]),
    ("Sure! Here it is:\n[0, 0, 1]\nas asked", [false, false, true]), ("```json\n[1,1,0]\n```", [true, true, false]),
    ("<think>maybe [1,1,1]</think>[0,0,0]", [false, false, false]),
    ("[1,0,0] no, rather [0,1,0]", [false, true, false]),
    ("passage [2]: [1,0,0]", [true, false, false]), ("[1, 0]", nil), ("[1, 0, 1, 0]", nil), ("[1, 0, 2]", nil),
    ("[1, 0, null]", nil), ("[\"1\", 0, 0]", nil), ("[1, 0, 1", nil), ("1, 0, 1", nil), ("", nil),
    ("[[1,0,1]]", [true, false, true]),
    ("<think>[1,0,1]</think> none", nil),
  ]) func listsOfThree(answer: String, expected: [Bool]?) {
    #expect(AnswerText.list(in: answer, count: 3) == expected)
  }

  @Test func refusals() {
    for text in ["I'm sorry, but no", "I can’t help with that", "  Sorry.", "I cannot judge this", "As an AI model"] {
      #expect(AnswerText.isRefusal(text))
    }
    for text in ["[1, 0]", "The label is unclear", "It is a sorry sight"] { #expect(!AnswerText.isRefusal(text)) }
  }

  @Test(arguments: [
    ("LABEL: names of rivers", "names of rivers"), ("thinking\n**LABEL:** rivers**", "rivers"),
    ("Label: first\nLABEL: second", "second"), ("<think>LABEL: a</think>\nlabel: b", "b"), ("## Label : c", "c"),
    ("no line", nil), ("LABEL:", nil), ("LABEL: ...", nil), ("", nil), ("LABELS: x", nil),
  ]) func labels(answer: String, expected: String?) {
    #expect(ExplanationPrompt.label(in: answer) == expected)
  }

  @Test func longLabelsAreCut() {
    #expect(ExplanationPrompt.label(in: "LABEL: " + String(repeating: "x", count: 5000))?.count == 300)
  }

  @Test func windowsAreShownAsJSON() {
    let pieces = ["▁the", "▁old", "▁Kn", "ives", "\n", "▁<<", "\"x", "<0xC3>", "<0xA9>"]
    #expect(WindowText.shown(pieces, marks: []) == #"" the old Knives\n ‹‹\"xé""#)
    #expect(WindowText.shown(pieces, marks: [2, 3, 5]) == #"" the old <<Knives>>\n <<‹‹>>\"xé""#)
    #expect(WindowText.shown(["▁▁"], marks: [0]) == #""<<  >>""#)
    #expect(WindowText.shown(["a", "▁b"], marks: [0, 1, 7]) == #""<<a b>>""#)
  }

  @Test func waitsAskedFor() throws {
    let now = try #require(ISO8601DateFormatter().date(from: "2026-03-01T12:00:00Z"))
    func seconds(_ headers: [String: String]) -> Double? { RetryAfter.seconds(headers, now: now) }
    #expect(seconds(["retry-after": "7"]) == 7)
    #expect(seconds(["retry-after": " 0.5 "]) == 0.5)
    #expect(seconds(["retry-after-ms": "250", "retry-after": "7"]) == 0.25)
    #expect(seconds(["retry-after": "Sun, 01 Mar 2026 12:01:30 GMT"]) == 90)
    #expect(seconds(["retry-after": "Sun, 01 Mar 2026 11:00:00 GMT"]) == 0)
    for text in ["soon", "-3", "nan", "inf", ""] { #expect(seconds(["retry-after": text]) == nil) }
    #expect(seconds([:]) == nil)
  }

  @Test func addresses() throws {
    func address(_ url: String) throws -> String? {
      try JudgeSettings(environment: ["GSCOPE_JUDGE_URL": url, "GSCOPE_JUDGE_MODEL": "m"])?.url.absoluteString
    }
    for url in ["http://h:8080", "http://h:8080/", "http://h:8080/v1", "http://h:8080/v1/chat/completions/"] {
      #expect(try address(url) == "http://h:8080/v1/chat/completions")
    }
    #expect(try address("https://h/api/v1?x=1") == "https://h/api/v1/chat/completions?x=1")
    #expect(try address(" ") == nil)
    for url in ["h:8080", "ftp://h", "http://", "https://user:secret@h", "file:///x"] {
      let error = #expect(throws: ExplanationError.self) { try address(url) }
      #expect(error?.description.contains("secret") == false)
    }
  }

  @Test func theKeyIsNotShown() throws {
    let environment = ["GSCOPE_JUDGE_URL": "http://h", "GSCOPE_JUDGE_MODEL": "m", "GSCOPE_JUDGE_KEY": "sk-secret"]
    let settings = try #require(try JudgeSettings(model: "other", environment: environment))
    #expect(settings.model == "other")
    var dumped = ""
    dump(settings, to: &dumped)
    for text in ["\(settings)", String(reflecting: settings), dumped] { #expect(!text.contains("secret")) }
    #expect(throws: ExplanationError.self) { try JudgeSettings(url: "http://h", environment: [:]) }
    #expect(throws: ExplanationError.self) {
      try JudgeSettings(url: "http://h", model: "m", environment: ["GSCOPE_JUDGE_KEY": "a\r\nX: b"])
    }
  }
}
