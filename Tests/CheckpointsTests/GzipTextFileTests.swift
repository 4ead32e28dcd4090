import Checkpoints
import Foundation
import Tensors
import TestSupport
import Testing

/// Text written piece by piece into a gzip file.
@Suite struct GzipTextFileTests {
  @Test(arguments: [0, 1, 7, 65_536, 1_000_003]) func whatIsWrittenIsReadBack(_ count: Int) throws {
    var random = SeededRandom(seed: UInt64(count))
    let letters = Array("abé漢\n ")
    let text = String((0..<count).map { _ in letters[random.int(0...letters.count - 1)] })
    let directory = try TemporaryDirectory()
    var packed: [[UInt8]] = []
    for (name, pieces) in [("whole.gz", 1), ("parts.gz", 7)] {
      let url = directory.url.appending(path: name)
      let file = try GzipTextFile(url)
      let scalars = Array(text.unicodeScalars)
      let step = max(1, scalars.count / pieces)
      for start in stride(from: 0, to: scalars.count, by: step) {
        var part = String.UnicodeScalarView()
        part.append(contentsOf: scalars[start..<min(start + step, scalars.count)])
        try file.write(String(part))
      }
      #expect(!FileManager.default.fileExists(atPath: url.path))
      try file.finish()
      packed.append([UInt8](try Data(contentsOf: url)))
      let storage = try GzipReader.unpack(.copying(packed[packed.count - 1]), path: name)
      #expect(Array(storage.bytes) == Array(text.utf8))
    }
    // Neither the pieces nor the time matter.
    #expect(packed[0] == packed[1])
    #expect(count < 1000 || packed[0].count < text.utf8.count / 2)
  }

  @Test func nothingIsLeftOfAFileThatIsDropped() throws {
    let directory = try TemporaryDirectory()
    do {
      let file = try GzipTextFile(directory.url.appending(path: "a.gz"))
      try file.write("text")
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: directory.url.path).isEmpty)
    #expect(throws: CheckpointError.self) { try GzipTextFile(directory.url.appending(path: "none/a.gz")) }
  }
}
