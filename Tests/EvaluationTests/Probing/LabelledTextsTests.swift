import Evaluation
import Foundation
import TestSupport
import Testing

@Suite struct LabelledTextsTests {
  private func read(_ lines: [String], as name: String = "set.jsonl") throws -> LabelledTexts {
    let folder = try TemporaryDirectory()
    return try LabelledTexts(contentsOf: try folder.write(Array(lines.joined(separator: "\n").utf8), as: name))
  }

  private func lines(_ count: Int = 100, split: (Int) -> String? = { _ in nil }) -> [String] {
    (0..<count).map { i in
      let split = split(i).map { ",\"split\":\"\($0)\"" } ?? ""
      let side = i % 2 == 0 ? "l" : "r"
      return "{\"id\":\"\(i)\",\"x\":[1],\"text\":\"text \(i)\",\"labels\":{\"side\":\"\(side)\"}\(split)}"
    }
  }

  @Test func linesAreReadAndSplit() throws {
    let set = try read(lines() + [""], as: "my.set.jsonl")
    #expect(set.name == "my" && set.texts.count == 100 && set.labels == ["side"])
    #expect(try set.classes(of: "side") == ["l", "r"])
    #expect(set.texts[3].text == "text 3" && set.texts[3].labels == ["side": "r"])
    // One in five by the text alone: in another order each stays where it was.
    let tests = Set(set.texts.filter(\.isTest).map(\.text))
    #expect((8...35).contains(tests.count))
    #expect(Set(try read(lines().reversed()).texts.filter(\.isTest).map(\.text)) == tests)
    let given = try read(lines { $0 % 4 < 2 ? "test" : "train" })
    #expect(given.texts.map(\.isTest) == (0..<100).map { $0 % 4 < 2 })
    #expect(given.rows("side", "l", isTest: true) == (0..<100).filter { $0 % 4 == 0 })
  }

  @Test func gzipIsUnpacked() throws {
    let folder = try TemporaryDirectory()
    let packed = GzipSample.stored(Array(lines().joined(separator: "\n").utf8))
    let set = try LabelledTexts(contentsOf: try folder.write(packed, as: "set.jsonl.gz"))
    #expect(try set.texts == read(lines()).texts && set.name == "set")
  }

  /// Every fault names the line and the key.
  @Test(arguments: [
    ("{\"id\":7,\"text\":\"a\",\"labels\":{}}", "'id' is not a string"),
    ("{\"id\":\"a\",\"labels\":{}}", "'text' is missing"),
    ("{\"text\":\"a\",\"labels\":{}}", "'id' is missing"),
    ("{\"id\":\"a\",\"text\":\"a\"}", "'labels' is missing"),
    ("{\"id\":\"a\",\"text\":\"\",\"labels\":{}}", "'text' is empty"),
    ("{\"id\":\"a\",\"text\":\"a\",\"labels\":[]}", "'labels' is not an object"),
    ("{\"id\":\"a\",\"text\":\"a\",\"labels\":{\"side\":1}}", "'labels.side' is not a string"),
    ("{\"id\":\"a\",\"text\":\"a\",\"labels\":{\"side\":\"l\",\"side\":\"r\"}}", "'labels.side' is given twice"),
    ("{\"id\":\"a\",\"id\":\"b\",\"text\":\"a\",\"labels\":{}}", "'id' is given twice"),
    ("{\"id\":\"a\",\"text\":\"a\",\"labels\":{},\"split\":\"dev\"}", "'split' is given, unlike in line 1"),
    ("{\"id\":\"2\",\"text\":\"a\",\"labels\":{}}", "'id' is '2', as in line 3"),
    ("[]", "expected an object"), ("{\"id\":\"a\"", "byte 9"),
  ]) func faultsAreNamed(line: String, reason: String) {
    var all = lines()
    all[5] = line
    #expect {
      try read(all)
    } throws: { error in
      guard case EvaluationError.text(_, let line, let found) = error else { return false }
      return line == 6 && found.contains(reason) && "\(error)".contains("set.jsonl line 6: ")
    }
  }

  @Test func setsThatCannotBeUsedAreRefused() throws {
    func refuses(_ lines: [String], _ reason: String, _ location: SourceLocation = #_sourceLocation) {
      #expect("expected: \(reason)", sourceLocation: location) {
        try read(lines)
      } throws: { "\($0)".contains(reason) }
    }
    refuses([], "holds no text")
    refuses(lines(30), "class 'l' of label 'side' has")
    refuses(lines { _ in "train" }, "0 to test on")
    var split = lines { $0 % 4 < 2 ? "test" : "train" }
    split[6] = split[6].replacingOccurrences(of: "text 6", with: "text 0")
    refuses(split, "line 7: 'text' stands in line 1 too, in the other split")
    split[6] = split[6].replacingOccurrences(of: "train", with: "dev")
    refuses(split, "line 7: 'split' is 'dev', expected 'train' or 'test'")
    var one = LabelledText(id: "a", text: "t", labels: [:], isTest: false)
    #expect(throws: EvaluationError.self) { try LabelledTexts([one], name: "none") }
    one = LabelledText(id: "a", text: "u", labels: [:], isTest: false)
    #expect(throws: EvaluationError.self) { try LabelledTexts([one, one], name: "twice") }
    #expect(throws: EvaluationError.self) { try read(lines()).classes(of: "other") }
  }

  /// The committed sets are in order, and no phrase helps a probe that only knows its training texts by heart.
  @Test(arguments: [("bios", 2400, ["gender", "profession"]), ("reviews", 1200, ["category", "opinion"])])
  func committedSets(name: String, count: Int, labels: [String]) throws {
    let set = try LabelledTexts(contentsOf: Fixtures.repository.appending(path: "probes/\(name).jsonl.gz"))
    #expect(set.texts.count == count && set.labels == labels)
    for label in labels {
      let counts = try set.classes(of: label).map { set.rows(label, $0, isTest: true).count }
      #expect(Set(counts).count == 1 && counts[0] * counts.count * 3 == count)
    }
  }
}
