import Checkpoints
import Foundation
import TestSupport
import Testing

/// Runs `body` on a scanner over `text` and checks that all of it was read.
func scan<Result>(_ text: some Sequence<UInt8>, _ body: (inout JSONScanner) throws -> Result) throws -> Result {
  try Array(text).withUnsafeBytes { bytes in
    var scanner = JSONScanner(bytes)
    let result = try body(&scanner)
    try scanner.end()
    return result
  }
}

func scan<Result>(_ text: String, _ body: (inout JSONScanner) throws -> Result) throws -> Result {
  try scan(text.utf8, body)
}

struct JSONScannerTests {
  @Test func walksANestedValue() throws {
    var seen: [String] = []
    try scan(#" { "a" : [1, -2, 3e2] , "b":{"c":null,"d":true}, "e" : "x", "f":false, "g":[], "h":{} } "#) { scanner in
      try scanner.object { key, scanner in
        switch try scanner.peek() {
        case .array: try scanner.array { seen.append("\(key)[\(try $0.double())]") }
        case .object:
          try scanner.object { inner, scanner in
            seen.append("\(key).\(inner)")
            try scanner.skipValue()
          }
        case .string: seen.append("\(key)=\(try scanner.string())")
        case .bool: seen.append("\(key)=\(try scanner.bool())")
        case .number, .null: try scanner.skipValue()
        }
      }
    }
    #expect(seen == ["a[1.0]", "a[-2.0]", "a[300.0]", "b.c", "b.d", "e=x", "f=false"])
  }

  @Test(arguments: [
    "", " ", "{", "}", "[", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}",
    "{\"a\" 1}", "{1:2}", "nul", "nulls", "tru", "True", "'a'", "\"a", "\"a\\", "\"\\u12", "\"\\u12G4\"", "\"\\x\"",
    "\"\t\"", "\"\u{1F}\"", "01", "-", "+1", ".5", "1.", "1e", "1e+", "1.e5", "--1", "0x1", "NaN", "Infinity", "1 1",
    "[1]]", "{}{}", "/**/1", "\u{FEFF}1", "[1}", "{\"a\":1]", "-a", "1..2",
  ])
  func refuses(_ text: String) {
    #expect(throws: JSONError.self) { try scan(text) { try $0.skipValue() } }
  }

  /// The same texts must be accepted and refused as by the system's parser.
  @Test func agreesWithFoundationOnMutatedTexts() throws {
    var random = SeededRandom(seed: 7)
    let seed = Array(#"{"ab":[1,-2.5e+3,true,null],"é\u0041\n":"x😀","q":{"z":[[],{}]}}"#.utf8)
    var accepted = 0
    for _ in 0..<20_000 {
      var text = seed
      for _ in 0..<random.int(1...2) {
        let at = random.int(0...text.count - 1)
        switch random.int(0...2) {
        case 0: text[at] = UInt8(random.int(0...255))
        case 1: text.remove(at: at)
        default: text.insert(try #require("{}[],:\"\\0e-. \u{1}é".utf8.randomElement(using: &random)), at: at)
        }
      }
      // The system's parser guesses at other encodings where it finds a zero, and lets a comma end a list.
      guard let string = String(validating: text, as: UTF8.self), !text.contains(0) else { continue }
      let dense = string.filter { $0 != " " }
      guard !dense.contains(",]"), !dense.contains(",}") else { continue }
      let ours = (try? scan(text) { try $0.skipValue() }) != nil
      let theirs = (try? JSONSerialization.jsonObject(with: Data(text), options: .fragmentsAllowed)) != nil
      #expect(ours == theirs, "\(string)")
      accepted += ours ? 1 : 0
    }
    #expect(accepted > 100)
  }

  @Test func boundsNesting() throws {
    func nested(_ depth: Int) -> String {
      String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    }
    try scan(nested(64)) { try $0.skipValue() }
    #expect(throws: JSONError(offset: 65, message: "JSON nested deeper than 64")) {
      try scan(nested(65)) { try $0.skipValue() }
    }
    let deep = String(repeating: "{\"a\":", count: 100_000)
    #expect(throws: JSONError.self) { try scan(deep) { try $0.skipValue() } }
    // Depth is left again: siblings do not add up.
    let wide = "[" + Array(repeating: "[{}]", count: 1000).joined(separator: ",") + "]"
    try scan(wide) { try $0.skipValue() }
  }

  @Test func everyPrefixIsRefused() throws {
    let text = Array(#"{"ab":[1,-2.5e+3,true,null],"\u0041\n":"x😀\ud83d\ude00","q":{"z":[[],{}]}}"#.utf8)
    try scan(text) { try $0.skipValue() }
    for count in 0..<text.count {
      #expect(throws: JSONError.self) { try scan(text.prefix(count)) { try $0.skipValue() } }
    }
  }

  @Test func namesThePlaceOfAFault() {
    #expect(throws: JSONError(offset: 7, message: "expected a whole number")) {
      try scan("[1, 2, 3.5]") { try $0.array { _ = try $0.integer() } }
    }
    #expect(JSONError(offset: 7, message: "expected '}'").description == "expected '}' at byte 7")
  }

  @Test func aMemberThatReadsNothingIsAFault() {
    #expect(throws: JSONError.self) { try scan(#"{"a":1}"#) { try $0.object { _, _ in } } }
    #expect(throws: JSONError.self) { try scan("[1]") { try $0.array { _ in } } }
  }
}
