import Checkpoints
import Foundation
import TestSupport
import Testing

struct AtomicFileTests {
  let folder: TemporaryDirectory
  let url: URL

  init() throws {
    folder = try TemporaryDirectory()
    url = folder.url.appending(path: "a.json")
  }

  @Test func replacesWhatWasThere() throws {
    try AtomicFile.write(Array("one two three".utf8), to: url)
    try AtomicFile.write(Data("four".utf8), to: url)
    #expect(try Data(contentsOf: url) == Data("four".utf8))
    try AtomicFile.write([UInt8](), to: url)
    #expect(try Data(contentsOf: url).isEmpty)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path) == ["a.json"])
  }

  @Test func aSymbolicLinkIsFollowed() throws {
    let (link, chain) = (folder.url.appending(path: "link"), folder.url.appending(path: "chain"))
    let files = FileManager.default
    try files.createSymbolicLink(atPath: link.path, withDestinationPath: "a.json")
    try files.createSymbolicLink(atPath: chain.path, withDestinationPath: link.path)
    // First to a file yet to be made, then to one that is there.
    for text in ["one", "two"] {
      try AtomicFile.write(Data(text.utf8), to: chain)
      #expect(try Data(contentsOf: url) == Data(text.utf8))
    }
    #expect(try files.destinationOfSymbolicLink(atPath: link.path) == "a.json")
    #expect(try files.contentsOfDirectory(atPath: folder.url.path).sorted() == ["a.json", "chain", "link"])
    let loop = folder.url.appending(path: "loop")
    try files.createSymbolicLink(atPath: loop.path, withDestinationPath: "loop")
    #expect(fault { try AtomicFile.write([1], to: loop) }.hasPrefix("\(loop.path): cannot be written: "))
  }

  @Test func whatIsNoRegularFileIsLeftAlone() throws {
    let pipe = folder.url.appending(path: "pipe")
    try #require(mkfifo(pipe.path, 0o600) == 0)
    let link = folder.url.appending(path: "link")
    try FileManager.default.createSymbolicLink(atPath: link.path, withDestinationPath: "pipe")
    for url in [pipe, link] {
      #expect(fault { try AtomicFile.write([1], to: url) } == "\(url.path): cannot be written: is not a regular file")
    }
    var status = stat()
    #expect(stat(pipe.path, &status) == 0 && status.st_mode & S_IFMT == S_IFIFO)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path).sorted() == ["link", "pipe"])
    // Without a commit too: an hour of work must not end in this message.
    #expect(fault { try AtomicFile(pipe) }.contains("not a regular file"))
  }

  @Test func anUncommittedFileChangesNothing() throws {
    try AtomicFile.write(Array("old".utf8), to: url)
    do {
      let file = try AtomicFile(url)
      try Array("new".utf8).withUnsafeBytes { try file.write($0, at: 0) }
    }
    #expect(try Data(contentsOf: url) == Data("old".utf8))
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path) == ["a.json"])
  }

  @Test func writesJSONWithSortedKeys() throws {
    try AtomicFile.writeJSON(["b": 1, "a": 2], to: url)
    #expect(try String(decoding: Data(contentsOf: url), as: UTF8.self) == "{\n  \"a\" : 2,\n  \"b\" : 1\n}\n")
    #expect(fault { try AtomicFile.writeJSON([Double.nan], to: url) }.contains(url.path))
    #expect(try Data(contentsOf: url).count > 10)
  }

  @Test func anUnwritableFolderIsNamed() throws {
    let missing = folder.url.appending(path: "none/a.json")
    #expect(fault { try AtomicFile.write([1], to: missing) }.hasPrefix("\(missing.path): cannot be written: No such"))
    try AtomicFile.write([1], to: url)
    let inFile = url.appending(path: "b.json")
    #expect(fault { try AtomicFile.write([1], to: inFile) }.contains("Not a directory"))
    let sub = folder.url.appending(path: "sub")
    try FileManager.default.createDirectory(at: sub, withIntermediateDirectories: false)
    #expect(fault { try AtomicFile.write([1], to: sub) }.contains("directory"))
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path).sorted() == ["a.json", "sub"])
  }

  @Test(.enabled(if: getuid() != 0, "the superuser may write anywhere"))
  func aReadOnlyFolderIsNamed() throws {
    #expect(chmod(folder.url.path, 0o500) == 0)
    defer { chmod(folder.url.path, 0o700) }
    #expect(fault { try AtomicFile.write([1], to: url) }.contains("Permission denied"))
  }

  @Test(.enabled(if: FileManager.default.fileExists(atPath: "/dev/full"), "needs /dev/full"))
  func aFullDiskIsNamed() throws {
    let full = open("/dev/full", O_WRONLY)
    defer { close(full) }
    let text = fault {
      try [UInt8](repeating: 1, count: 10).withUnsafeBytes {
        try AtomicFile.write($0, at: 0, to: full, file: "f")
      }
    }
    #expect(text == "f: cannot be written: No space left on device")
  }
}
