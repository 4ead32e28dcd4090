import Checkpoints
import Testing

struct CheckpointErrorTests {
  @Test func longNamesAreClipped() {
    let name = String(repeating: "é", count: 1_000_000)
    let text = CheckpointError.missingTensor(file: "f", tensor: name).description
    #expect(text == "f: no tensor '\(String(repeating: "é", count: 200))…'")
  }

  @Test func everyCaseNamesFileAndSubject() {
    let errors: [(CheckpointError, String)] = [
      (.unreadable(file: "f", reason: "r"), "f: r"),
      (.unwritable(file: "f", reason: "r"), "f: cannot be written: r"),
      (.malformed(file: "f", reason: "r"), "f: r"),
      (.invalidTensor(file: "f", tensor: "t", reason: "r"), "f: tensor 't': r"),
      (.unsupported(file: "f", tensor: "t", found: "x", expected: "y"), "f: tensor 't': x is not supported, expected y"),
      (.missingKey(file: "f", key: "k", expected: "a string"), "f: no metadata key 'k', expected a string"),
      (.wrongType(file: "f", key: "k", expected: "a", found: "b"), "f: metadata key 'k' is b, expected a"),
      (.outOfMemory(file: "f", tensor: "t", bytes: 5), "f: tensor 't': out of memory: 5 bytes could not be allocated"),
    ]
    for (error, text) in errors { #expect(error.description == text) }
  }
}
