import Checkpoints
import TestSupport
import Testing

struct JSONStringTests {
  @Test(arguments: [
    (#""""#, ""), (#""a""#, "a"), (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{C}\n\r\t"), (#""\u0041\u00e9\u20AC""#, "Aé€"),
    (#""\ud83d\ude00""#, "😀"), (#""▁the▁▁""#, "▁the▁▁"), (#""\u0000""#, "\0"),
    (#""12345678\n12345678""#, "12345678\n12345678"),
    (#""\ud83d""#, "\u{FFFD}"), (#""\ude00x""#, "\u{FFFD}x"), (#""\ud83d\u0041""#, "\u{FFFD}A"),
    (#""\ud83d\n""#, "\u{FFFD}\n"), (#""\ud83d\ud83d\ude00""#, "\u{FFFD}😀"),
    ("\"\u{7F}\u{10FFFF}\"", "\u{7F}\u{10FFFF}"),
  ])
  func resolves(_ text: String, _ value: String) throws {
    #expect(try scan(text) { try $0.string() } == value)
    var bytes: [UInt8] = []
    try scan(text) { try $0.stringBytes { bytes = Array($0) } }
    #expect(bytes == Array(value.utf8))
  }

  /// Every two- to four-byte sequence is taken exactly if the standard library calls it valid UTF-8, wherever it stands
  /// in a word of eight.
  @Test func validatesUTF8() {
    var wrong: [[UInt8]] = []
    for first in UInt8(0x80)...0xFF {
      for second in [0x00, 0x22, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF] as [UInt8] {
        for third in [nil, 0x41, 0x80, 0xBF, 0xC2] as [UInt8?] {
          for fourth in [nil, 0x80, 0xBF] as [UInt8?] {
            for padding in [0, 5, 8] {
              let content =
                Array(repeating: UInt8(ascii: "x"), count: padding) + [first, second]
                + [third, fourth].compactMap { $0 }
              guard !content.contains(0x22), !content.contains(0) else { continue }
              let found = try? scan([0x22] + content + [0x22]) { try $0.string() }
              if found != String(validating: content, as: UTF8.self) { wrong.append(content) }
            }
          }
        }
      }
    }
    #expect(wrong.isEmpty)
  }

  @Test func quotedTextReadsBack() throws {
    var random = SeededRandom(seed: 3)
    let alphabet = Array("aé▁😀\"\\/\n\r\t\u{8}\u{C}\0\u{1F}\u{7F}\u{2028}'{}".unicodeScalars)
    for length in 0..<200 {
      var text = ""
      for _ in 0..<length { text.unicodeScalars.append(alphabet[random.int(0...alphabet.count - 1)]) }
      #expect(try scan(JSONText.quoted(text)) { try $0.string() } == text)
    }
    #expect(JSONText.quoted("a\u{1}/é\"") == #""a\u0001/é\"""#)
  }

  @Test func keysAreGivenAsBytesToo() throws {
    var keys: [[UInt8]] = []
    try scan(#"{"a":1,"b\n":{"c":2},"":3}"#) { scanner in
      try scanner.objectBytes { key, scanner in
        keys.append(Array(key))
        try scanner.skipValue()
      }
    }
    #expect(keys == [Array("a".utf8), Array("b\n".utf8), []])
  }
}
