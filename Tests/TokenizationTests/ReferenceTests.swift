import Foundation
import TestSupport
import Testing
import Tokenization

/// Byte-pair encoding as its definition reads: over and over, the listed pair with the lowest rank, the leftmost of
/// them, becomes one. No cuts, no cache, no heap.
private struct SlowTokenizer {
  struct Pair: Hashable {
    let left: [UInt8]
    let right: [UInt8]
  }

  let tokenizer: GemmaTokenizer
  var ranks: [Pair: Int] = [:]
  var added: [(content: [UInt8], special: Bool)] = []
  var vocabulary: Set<[UInt8]> = []

  init(_ url: URL) throws {
    tokenizer = try GemmaTokenizer(contentsOf: url)
    let object = try JSONSerialization.jsonObject(with: Data(contentsOf: url)) as? [String: Any] ?? [:]
    let merges = (object["model"] as? [String: Any])?["merges"] as? [[String]] ?? []
    for (rank, merge) in merges.enumerated() {
      ranks[Pair(left: Array(merge[0].utf8), right: Array(merge[1].utf8))] = rank
    }
    for token in object["added_tokens"] as? [[String: Any]] ?? [] {
      let content = token["content"] as? String ?? ""
      added.append((Array(content.utf8), token["special"] as? Bool ?? false))
    }
    for id in 0..<Int32(tokenizer.vocabularySize) { vocabulary.insert(Array(tokenizer.piece(id).utf8)) }
  }

  func encode(_ text: String, specials: GemmaTokenizer.Specials) -> [Int32] {
    let bytes = Array(text.utf8)
    var pieces: [[UInt8]] = []
    var section: [UInt8] = []
    var index = 0
    while index < bytes.count {
      let found = added.filter { $0.special == false || specials == .parse }.map(\.content)
        .filter { bytes[index...].starts(with: $0) }.max { $0.count < $1.count }
      if let found {
        pieces += merge(section) + [found]
        section = []
        index += found.count
      } else {
        section.append(bytes[index])
        index += 1
      }
    }
    pieces += merge(section)
    return pieces.map { tokenizer.id(of: String(decoding: $0, as: UTF8.self)) ?? -1 }
  }

  private func merge(_ section: [UInt8]) -> [[UInt8]] {
    var pieces: [[UInt8]] = []
    for scalar in String(decoding: section, as: UTF8.self).unicodeScalars {
      let bytes = Array(String(scalar == " " ? "\u{2581}" : scalar).utf8)
      if vocabulary.contains(bytes) {
        pieces.append(bytes)
      } else {
        for byte in bytes {
          pieces.append(Array("<0x\(byte < 16 ? "0" : "")\(String(byte, radix: 16, uppercase: true))>".utf8))
        }
      }
    }
    while let best = pieces.indices.dropLast().compactMap({ index in
      ranks[Pair(left: pieces[index], right: pieces[index + 1])].map { ($0, index) }
    }).min(by: { $0 < $1 }) {
      pieces[best.1] += pieces[best.1 + 1]
      pieces.remove(at: best.1 + 1)
    }
    return pieces
  }
}

@Suite struct ReferenceTests {
  @Test(arguments: ["tiny.json", "scrambled.json"])
  func fastPathIsTheDefinition(_ name: String) throws {
    let slow = try SlowTokenizer(Fixtures.url("tokenizer/\(name)"))
    var random = SeededRandom(seed: 7)
    for length in [1, 2, 3, 7, 30, 31, 32, 33, 61, 97] {
      for _ in 0..<60 {
        let text = RandomText.make(&random, upTo: length)
        for specials in [GemmaTokenizer.Specials.parse, .asText] {
          #expect(
            slow.tokenizer.encode(text, addBOS: false, specials: specials) == slow.encode(text, specials: specials),
            "\(text.debugDescription)")
        }
      }
    }
  }

  /// A megabyte without a space is one chunk; an encoder that is quadratic in it would take hours.
  @Test(arguments: Subject.all)
  func aMegabyteWithoutSpaces(_ subject: Subject) throws {
    let tokenizer = try subject.load()
    var random = SeededRandom(seed: 8)
    let letters = Array("etaoinshrdlu漢字é".unicodeScalars)
    var scalars = String.UnicodeScalarView()
    for _ in 0..<800_000 { scalars.append(letters[random.int(0...letters.count - 1)]) }
    let texts = [String(scalars), String(repeating: "a", count: 1_000_000), String(repeating: " ", count: 1_000_000)]
    for text in texts {
      let start = ContinuousClock.now
      let encoding = tokenizer.encodeWithRanges(text, addBOS: false)
      #expect(ContinuousClock.now - start < .seconds(30))
      #expect(encoding.ranges.last?.upperBound == text.utf8.count)
      #expect(try tokenizer.decode(encoding.ids) == text)
    }
  }

  /// What a huge text needed is given back; what an ordinary one did waits for the next.
  @Test func scratchMemoryOfHugeTextsIsNotKept() throws {
    let tokenizer = try Subject.tinyJSON.load()
    _ = tokenizer.encode(String(repeating: "ab", count: 20_000))
    #expect((40_000..<(1 << 20)).contains(tokenizer.keptCapacity))
    _ = tokenizer.encode(String(repeating: "ab", count: 1 << 20))
    #expect(tokenizer.keptCapacity == 0)
    #expect(tokenizer.encode("ab").count > 1)
  }

  /// Calls from many threads share nothing that one could spoil for another.
  @Test func callsMayOverlap() async throws {
    let tokenizer = try Subject.tinyGGUF.load()
    let goldens = try Goldens.read("tiny").texts
    let expected = goldens.map(\.ids)
    let texts = goldens.map(\.text)
    await withTaskGroup(of: Bool.self) { group in
      for _ in 0..<4 { group.addTask { texts.map { tokenizer.encode($0, addBOS: false) } == expected } }
      for await same in group { #expect(same) }
    }
  }
}
