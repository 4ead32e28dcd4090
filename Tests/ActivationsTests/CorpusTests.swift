import Activations
import Checkpoints
import Foundation
import TestSupport
import Testing
import Tokenization

@Suite struct CorpusTests {
  private func texts(_ corpus: Corpus, at cursor: CorpusCursor = CorpusCursor()) throws -> [CorpusPiece] {
    let reader = try DocumentReader(corpus, at: cursor)
    var all: [CorpusPiece] = []
    while let next = try reader.next() { all.append(next) }
    return all
  }

  private func strings(_ paths: [URL], _ options: CorpusOptions = CorpusOptions()) throws -> [String] {
    try texts(Corpus(paths, options: options)).map {
      if case .text(let text) = $0.text { text } else { "chat" }
    }
  }

  @Test func aFolderIsReadInTheOrderOfItsNames() throws {
    let directory = try TemporaryDirectory()
    try FileManager.default.createDirectory(
      at: directory.url.appending(path: "b"), withIntermediateDirectories: false)
    _ = try directory.write(Array("third".utf8), as: "c.txt")
    _ = try directory.write(Array("second".utf8), as: "b/z.md")
    _ = try directory.write(GzipSample.stored(Array("{\"text\":\"first\",\"other\":[1]}\n\n".utf8)), as: "a.jsonl.gz")
    _ = try directory.write(Array("hidden".utf8), as: ".hidden.txt")
    _ = try directory.write([0xFF], as: "image.png")
    _ = try directory.write([], as: "empty.txt")
    #expect(try strings([directory.url]) == ["first", "second", "third"])
    // What is named itself may be called anything, and paths keep their order.
    let plain = try directory.write(Array("plain".utf8), as: "README")
    #expect(try strings([plain, directory.url.appending(path: "c.txt")]) == ["plain", "third"])
  }

  @Test func separatorsCutPlainText() throws {
    let directory = try TemporaryDirectory()
    let file = try directory.write(Array("one\ntwo\n\n  \nthree\n\n\n".utf8), as: "a.txt")
    #expect(try strings([file]) == ["one\ntwo\n\n  \nthree\n\n\n"])
    #expect(try strings([file], .init(separator: .blankLine)) == ["one\ntwo", "three"])
    let zeros = try directory.write(Array("one\0\0two\n\nthree\0".utf8), as: "b.txt")
    #expect(try strings([zeros], .init(separator: .zero)) == ["one", "two\n\nthree"])
  }

  @Test func conversationsAreKept() throws {
    let directory = try TemporaryDirectory()
    let line =
      "{\"id\":1,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"},{\"role\":\"model\",\"content\":\"ho\"}]}"
    let corpus = try Corpus([directory.write(Array(line.utf8), as: "a.jsonl")])
    #expect(try texts(corpus).map(\.text) == [.chat(Array(line.utf8))])
    let tokenizer = try Tiny.tokenizer()
    let ids = try #require(try Tiny.sequences(corpus, PackingOptions(context: 512)).first?.tokens)
    #expect(ids.first == tokenizer.bos)
    #expect(ids.filter { $0 == tokenizer.startOfTurn }.count == 2)
    #expect(!ids.dropFirst().contains(tokenizer.bos))
  }

  /// Every piece can be come back to, through gzip too, and long texts come back whole.
  @Test func anyPlaceCanBeResumed() throws {
    let directory = try TemporaryDirectory()
    var random = SeededRandom(seed: 7)
    let long = (0..<400_000).map { _ in "word\(random.int(0...9))" }.joined(separator: " ")
    let paragraphs = (0..<3000).map { _ in Tiny.text(random.int(1...30), &random) }.joined(separator: "\n\n")
    let files = [
      try directory.write(Array(long.utf8), as: "a.txt"),
      try directory.write(GzipSample.stored(Array(paragraphs.utf8)), as: "b.txt.gz"),
      try directory.write(GzipSample.packed, as: "c.gz"),
    ]
    for separator in CorpusOptions.Separator.allCases {
      let corpus = try Corpus(files, options: .init(separator: separator))
      let all = try texts(corpus)
      #expect(all.allSatisfy { if case .text(let text) = $0.text { text.utf8.count <= 1 << 20 } else { false } })
      if separator == .file {
        let first = all.filter { $0.cursor.file == 0 }
        #expect(first.count == 3)
        #expect(first.map { if case .text(let text) = $0.text { text } else { "" } }.joined() == long)
        #expect(first.map(\.cursor.isContinuation) == [false, true, true])
      }
      for _ in 0..<8 {
        let index = random.int(0...all.count - 1)
        #expect(try Array(all[index...].prefix(50)) == Array(texts(corpus, at: all[index].cursor).prefix(50)))
      }
    }
  }

  @Test func aBoundaryAtTheEndOfTheBufferChangesNothing() throws {
    let directory = try TemporaryDirectory()
    for extra in [-1, 0, 1] {
      let text = String(repeating: "x", count: (1 << 20) + extra)
      let file = try directory.write(Array(text.utf8), as: "a.txt")
      #expect(try strings([file]).map(\.utf8.count) == (extra > 0 ? [1 << 20, 1] : [text.utf8.count]))
    }
  }

  @Test func heldOutDocumentsAreTheRest() throws {
    let directory = try TemporaryDirectory()
    let lines = (0..<2000).map { "{\"text\":\"document \($0)\"}\n" }
    let file = try directory.write(Array(lines.joined().utf8), as: "a.jsonl")
    let all = try strings([file])
    let training = try strings([file], .init(part: .training, heldOutEvery: 20))
    let heldOut = try strings([file], .init(part: .heldOut, heldOutEvery: 20))
    #expect(Set(training).isDisjoint(with: heldOut))
    #expect((training + heldOut).sorted() == all.sorted())
    #expect(60...140 ~= heldOut.count)
    // Wherever they stand.
    let reversed = try directory.write(Array(lines.reversed().joined().utf8), as: "b.jsonl")
    #expect(Set(try strings([reversed], .init(part: .heldOut, heldOutEvery: 20))) == Set(heldOut))
  }

  @Test(arguments: [
    ("{\"text\":\"a\"}\n\n{\"text\":3}", 3, "'text' is not a string"), ("{\"txt\":\"a\"}", 1, "expected either"),
    ("{\"text\":\"a\",\"messages\":[]}", 1, "expected either"), ("{\"text\":\"a\",\"text\":\"b\"}", 1, "twice"),
    ("{\"text\":\"a\"} x", 1, "JSON"), ("[]", 1, "expected an object"), ("{\"text\":\"a", 1, "JSON"),
    ("{\"text\":\"a\"}\n{\"messages\":[{\"role\":\"king\"}]}", 2, "king"),
  ])
  func faultsNameFileAndLine(text: String, line: Int, reason: String) throws {
    let directory = try TemporaryDirectory()
    let file = try directory.write(Array(text.utf8), as: "a.jsonl")
    let error = try #require(throws: ActivationError.self) {
      _ = try Tiny.sequences(Corpus([file]), PackingOptions(context: 16))
    }
    #expect("\(error)".hasPrefix("\(file.path) line \(line): "), "\(error)")
    #expect("\(error)".contains(reason), "\(error)")
  }

  @Test func bytesThatAreNotUTF8AreRefusedOrReplaced() throws {
    let directory = try TemporaryDirectory()
    let file = try directory.write(Array("one\ntwo\nth".utf8) + [0xE9] + Array("ree\n".utf8), as: "a.txt")
    #expect(throws: ActivationError.text(path: file.path, line: 3, reason: "is not UTF-8 (--replace-invalid reads on)"))
    { try strings([file]) }
    #expect(try strings([file], .init(invalidText: .replace)) == ["one\ntwo\nth\u{FFFD}ree\n"])
    let lines = try directory.write(Array("{\"text\":\"".utf8) + [0xFF] + Array("\"}".utf8), as: "a.jsonl")
    #expect(throws: ActivationError.self) { try strings([lines]) }
    #expect(try strings([lines], .init(invalidText: .replace)) == ["\u{FFFD}"])
  }

  @Test func brokenGzipAndMissingFilesAreNamed() throws {
    let directory = try TemporaryDirectory()
    for bytes in [Array(GzipSample.packed.dropLast(9)), Array(GzipSample.packed.prefix(3)), [0x1F, 0x8B, 9]] {
      let file = try directory.write(bytes, as: "a.txt.gz")
      let error = try #require(throws: ActivationError.self) { try strings([file]) }
      #expect("\(error)".hasPrefix("\(file.path): broken gzip"), "\(error)")
    }
    let file = try directory.write(Array("plain".utf8), as: "b.txt.gz")
    #expect(throws: ActivationError.self) { try strings([file]) }
    #expect(throws: ActivationError.self) { try Corpus([directory.url.appending(path: "none")]) }
    let empty = try TemporaryDirectory()
    #expect(throws: ActivationError.self) { try Corpus([empty.url]) }
    #expect(try strings([directory.write([], as: "e.txt.gz"), directory.write([], as: "e.jsonl")]) == [])
  }

  @Test func theHashSeesNamesContentsAndOptions() throws {
    let directory = try TemporaryDirectory()
    func hash(_ text: String, _ name: String, _ options: CorpusOptions = CorpusOptions()) throws -> String {
      try Corpus([directory.write(Array(text.utf8), as: name)], options: options).sha256()
    }
    let first = try hash("a", "x.txt")
    #expect(first.count == 64)
    #expect(try hash("a", "x.txt") == first)
    let others = [
      try hash("b", "x.txt"), try hash("a", "y.txt"), try hash("a", "x.txt", .init(separator: .zero)),
    ]
    #expect(Set(others + [first]).count == 4)
  }
}
