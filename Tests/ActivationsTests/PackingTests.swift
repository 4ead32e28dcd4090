import Activations
import Foundation
import TestSupport
import Testing
import Tokenization

@Suite struct PackingTests {
  /// The whole corpus as one stream of tokens, made the slow way.
  private func stream(_ corpus: Corpus, marks: Bool) throws -> [[Int32]] {
    let reader = try DocumentReader(corpus)
    let tokenizer = try Tiny.tokenizer()
    var documents: [[Int32]] = []
    while let next = try reader.next() {
      guard case .text(let text) = next.text else { continue }
      documents.append((marks ? [tokenizer.bos] : []) + tokenizer.encode(text, addBOS: false, specials: .asText))
    }
    return documents
  }

  @Test(arguments: [2, 3, 7, 24, 61, 512])
  func sequencesHoldEveryTokenInOrder(context: Int) throws {
    let directory = try TemporaryDirectory()
    let bos = try Tiny.tokenizer().bos
    for (marks, seed) in [(true, 1), (false, 2), (true, 3)] as [(Bool, UInt64)] {
      let corpus = try Tiny.corpus(directory, documents: 40, seed: seed)
      let sequences = try Tiny.sequences(corpus, PackingOptions(context: context, marksDocuments: marks))
      #expect(sequences.map(\.index) == Array(sequences.indices))
      #expect(sequences.allSatisfy { $0.tokens.first == bos && $0.tokens.count > 1 })
      #expect(sequences.dropLast().allSatisfy { $0.tokens.count == context })
      // Without <bos> all tokens of all documents remain, and every marked beginning has its own.
      let documents = try stream(corpus, marks: marks)
      #expect(sequences.flatMap(\.tokens).filter { $0 != bos } == documents.flatMap { $0 }.filter { $0 != bos })
      var marked = 0
      for sequence in sequences { marked += sequence.tokens.dropFirst().filter { $0 == bos }.count }
      #expect(marks ? marked <= documents.count && marked + sequences.count >= documents.count : marked == 0)
    }
  }

  @Test func countedPositionsLeaveOutSpecials() throws {
    let directory = try TemporaryDirectory()
    let tokenizer = try Tiny.tokenizer()
    for sequence in try Tiny.sequences(Tiny.corpus(directory, documents: 30), PackingOptions(context: 31)) {
      let expected = sequence.tokens.indices.filter { !tokenizer.isSpecial(sequence.tokens[$0]) }
      #expect(sequence.counted == expected)
      #expect(sequence.counted.first != 0)
    }
  }

  @Test func anySequenceCanBeResumed() throws {
    let directory = try TemporaryDirectory()
    let corpus = try Tiny.corpus(directory, documents: 60)
    let tokenizer = try Tiny.tokenizer()
    var random = SeededRandom(seed: 9)
    for _ in 0..<10 {
      let options = PackingOptions(
        context: random.int(2...80), marksDocuments: random.int(0...1) == 0,
        tokenLimit: random.int(0...1) == 0 ? nil : random.int(1...1500))
      let packer = try SequencePacker(corpus, tokenizer: tokenizer, options: options)
      var cursors: [SequenceCursor] = []
      var all: [PackedSequence] = []
      while true {
        cursors.append(packer.cursor)
        guard let next = try packer.next() else { break }
        all.append(next)
      }
      for _ in 0..<5 {
        let index = random.int(0...all.count)
        // As a checkpoint holds it.
        let saved = try JSONDecoder().decode(SequenceCursor.self, from: JSONEncoder().encode(cursors[index]))
        let again = try SequencePacker(corpus, tokenizer: tokenizer, options: options, at: saved)
        var rest: [PackedSequence] = []
        while let next = try again.next() { rest.append(next) }
        #expect(rest == Array(all[index...]))
      }
      if let limit = options.tokenLimit {
        let total = try Tiny.sequences(
          corpus, PackingOptions(context: options.context, marksDocuments: options.marksDocuments)
        )
        .reduce(0) { $0 + $1.counted.count }
        #expect(all.reduce(0) { $0 + $1.counted.count } == min(limit, total))
      }
    }
  }

  @Test(arguments: [1, 2, 3, 7])
  func shardsShareTheSequences(count: Int) throws {
    let directory = try TemporaryDirectory()
    let corpus = try Tiny.corpus(directory, documents: 50)
    func sequences(_ shard: Int, _ count: Int) throws -> [PackedSequence] {
      try Tiny.sequences(corpus, PackingOptions(context: 20, tokenLimit: 900, shard: shard, shardCount: count))
    }
    let whole = try sequences(0, 1)
    let union = try (0..<count).flatMap { try sequences($0, count) }
    #expect(union.sorted { $0.index < $1.index } == whole)
  }

  @Test func placesThatAreNoneAreRefused() throws {
    let directory = try TemporaryDirectory()
    let corpus = try Tiny.corpus(directory, documents: 5)
    let tokenizer = try Tiny.tokenizer()
    let places = [
      SequenceCursor(piece: CorpusCursor(file: 2)), SequenceCursor(piece: CorpusCursor(byte: 1 << 40)),
      SequenceCursor(token: 1 << 30), SequenceCursor(token: -1), SequenceCursor(piece: CorpusCursor(file: -1)),
      SequenceCursor(sequence: -5),
    ]
    for place in places {
      #expect(throws: ActivationError.self, "\(place)") {
        try SequencePacker(corpus, tokenizer: tokenizer, options: PackingOptions(context: 8), at: place)
      }
    }
    for options in [PackingOptions(context: 1), .init(tokenLimit: 0), .init(shard: 2, shardCount: 2), .init(shard: -1)]
    {
      #expect(throws: ActivationError.self) { try SequencePacker(corpus, tokenizer: tokenizer, options: options) }
    }
  }
}
