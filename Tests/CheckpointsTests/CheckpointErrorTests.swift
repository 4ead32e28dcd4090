import Checkpoints
import Testing

struct CheckpointErrorTests {
  @Test func longNamesAreClipped() {
    let name = String(repeating: "é", count: 1_000_000)
    let text = CheckpointError.missingTensor(file: "f", tensor: name).description
    #expect(text == "f: no tensor '\(String(repeating: "é", count: 500))…'")
    // One character may have any number of scalars.
    let marks = "e" + String(repeating: "\u{301}", count: 1_000_000)
    #expect(CheckpointError.malformed(file: "f", reason: marks).description.unicodeScalars.count == 3 + 501)
  }

  @Test func namesCannotSteerATerminal() {
    let error = CheckpointError.invalidTensor(file: "f", tensor: "a\u{1B}[2J\n", reason: "r")
    #expect(error.description == "f: tensor 'a\u{FFFD}[2J\u{FFFD}': r")
  }

  @Test func everyCaseNamesFileAndSubject() {
    let errors: [(CheckpointError, String)] = [
      (.unreadable(file: "f", reason: "r"), "f: r"),
      (.unwritable(file: "f", reason: "r"), "f: cannot be written: r"),
      (.malformed(file: "f", reason: "r"), "f: r"),
      (.invalidTensor(file: "f", tensor: "t", reason: "r"), "f: tensor 't': r"),
      (
        .unsupported(file: "f", tensor: "t", found: "x", expected: "y"), "f: tensor 't': x is not supported, expected y"
      ),
      (.missingKey(file: "f", key: "k", expected: "a string"), "f: no metadata key 'k', expected a string"),
      (.wrongType(file: "f", key: "k", expected: "a", found: "b"), "f: metadata key 'k' is b, expected a"),
      (.outOfMemory(file: "f", tensor: "t", bytes: 5), "f: tensor 't': out of memory: 5 bytes could not be allocated"),
    ]
    for (error, text) in errors { #expect(error.description == text) }
  }
}
