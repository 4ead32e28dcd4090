import Foundation
import TestSupport
import Testing

@Suite struct TokenizeTests {
  private typealias Tool = CommandLineTool

  @Test func jsonOfAText() throws {
    let result = try Tool.run("tokenize", "--text", "a b", "--json")
    #expect(result.status == 0)
    #expect(result.errors.isEmpty)
    #expect(
      result.output.hasPrefix(
        "{\"schema\":1,\"tokens\":[{\"id\":2,\"piece\":\"<bos>\",\"text\":\"<bos>\",\"start\":0,\"end\":0},"))
    let tokens = try #require(try result.json()["tokens"] as? [[String: Any]])
    #expect(tokens.last?["end"] as? Int == 3)
    // The ranges of a text's tokens follow one another without gaps.
    let ends = tokens.map { $0["end"] as? Int }
    #expect(tokens.dropFirst().map { $0["start"] as? Int } == Array(ends.dropLast()))
    #expect(tokens.dropFirst().compactMap { $0["text"] as? String }.joined() == "a b")
  }

  /// The tokens of a long text are written in several pieces.
  @Test func jsonOfALongText() throws {
    let ids = (0..<9001).map { "\(11 + $0 % 280)" }.joined(separator: ",")
    let result = try Tool.run("tokenize", "--tokens", ids, "--json")
    let tokens = try #require(try result.json()["tokens"] as? [[String: Any]])
    #expect(tokens.map { $0["id"] as? Int } == (0..<9001).map { 11 + $0 % 280 })
    let people = try Tool.run("tokenize", "--tokens", ids)
    #expect(people.output.split(separator: "\n").count == 9003)
    #expect(people.output.hasSuffix("9,001 tokens\n"))
  }

  /// A line that comes through a pipe in many parts.
  @Test func aLineOfManyMegabytes() throws {
    let process = try Tool.process(["tokenize", "--model", Tool.model, "--texts", "-"])
    let (input, output) = (Pipe(), Pipe())
    process.standardInput = input
    process.standardOutput = output
    try process.run()
    let word = Data(String(repeating: "x", count: 1 << 20).utf8)
    DispatchQueue.global().async {
      input.fileHandleForWriting.write(Data("{\"id\":1,\"other\":\"".utf8))
      for _ in 0..<24 { input.fileHandleForWriting.write(word) }
      input.fileHandleForWriting.write(Data("\",\"text\":\"a\"}\n".utf8))
      try? input.fileHandleForWriting.close()
    }
    let line = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
    #expect(String(decoding: line, as: UTF8.self).hasPrefix("{\"schema\":1,\"id\":1,\"tokens\":["))
  }

  @Test func piecesAreVisibleForPeople() throws {
    let result = try Tool.run("tokenize", "--text", "a\n\u{1B}[31m b")
    #expect(result.status == 0)
    #expect(result.output.contains("⏎"))
    #expect(result.output.contains("␣"))
    // Neither the text's escape nor colours of our own reach a pipe.
    #expect(!result.output.contains("\u{1B}"))
  }

  @Test func fileAndStandardInputGiveTheSame() throws {
    let directory = try TemporaryDirectory()
    let file = try directory.write(Array("one two".utf8), as: "text.txt")
    let fromFile = try Tool.run("tokenize", "--file", file.path, "--json")
    let fromInput = try Tool.run("tokenize", "--file", "-", "--json", input: "one two")
    let fromText = try Tool.run("tokenize", "--text", "one two", "--json")
    #expect(fromFile.status == 0)
    #expect(fromFile.output == fromText.output)
    #expect(fromInput.output == fromText.output)
    let missing = try Tool.run("tokenize", "--file", "/nowhere.txt")
    #expect(missing.status == 1)
    #expect(missing.errors.hasPrefix("gscope: error: /nowhere.txt: "))
    let empty = try Tool.run("tokenize", "--file", "-")
    #expect(empty.errors.contains("is empty"))
  }

  @Test func conversationsCarryRolesAndTurns() throws {
    let chat = #"{"messages":[{"role":"user","content":"hi"}],"add_generation_prompt":true}"#
    let result = try Tool.run("tokenize", "--chat", "-", "--json", input: chat)
    #expect(result.status == 0, "\(result.errors)")
    let tokens = try #require(try result.json()["tokens"] as? [[String: Any]])
    #expect(tokens.first?["id"] as? Int == 2)
    #expect(tokens.first?["role"] as? String == "template")
    #expect(tokens.contains { $0["role"] as? String == "user" })
    #expect(Set(tokens.compactMap { $0["turn"] as? Int }) == [0, 1])
    let bad = try Tool.run("tokenize", "--chat", "-", input: #"{"messages":[{"role":"robot","content":"hi"}]}"#)
    #expect(bad.status == 1)
    #expect(bad.errors.contains("'robot'"))
  }

  @Test func manyTextsAreLinesWithTheirId() throws {
    let input = """
      {"id":"first","text":"a"}

      {"id":7,"messages":[{"role":"user","content":"b"}]}
      """
    let result = try Tool.run("tokenize", "--texts", "-", input: input)
    #expect(result.status == 0)
    let lines = try result.jsonLines()
    #expect(lines.count == 2)
    #expect(result.output.hasPrefix("{\"schema\":1,\"id\":\"first\",\"tokens\":["))
    #expect(lines.last?["id"] as? Int == 7)
  }

  @Test(arguments: [
    (#"{"id":1,"text":"a"}\#n{"id":2,"text":"#, "line 2"), (#"{"text":"a"}"#, "'id' is missing"),
    (#"{"id":1}"#, "either 'text' or 'messages'"), (#"{"id":1,"text":""}"#, "'text' is empty"), ("\n", "holds no text"),
    (#"{"id":1,"text":"a","messages":[]}"#, "either 'text' or 'messages'"), (#"{"id":[],"text":"a"}"#, "'id'"),
  ])
  func faultyLinesAreNamed(input: String, mention: String) throws {
    let result = try Tool.run("tokenize", "--texts", "-", input: input)
    #expect(result.status == 1)
    #expect(result.errors.contains(mention), "\(result.errors)")
    #expect(result.errors.split(separator: "\n").count == 1)
  }
}
