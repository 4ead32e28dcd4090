import Foundation
import TestSupport
import Testing

/// What `gscope evaluate` shows on a terminal of 80 columns.
@Suite struct EvaluateTerminalTests {
  private typealias Tool = CommandLineTool

  /// A terminal, and the end of it that a program writes to.
  private static func pair() throws -> (Int32, Int32) {
    let terminal = open("/dev/ptmx", O_RDWR | O_NOCTTY)
    #if os(Linux)
      // The C library's functions for this are not visible to Swift; ioctl_tty(2) has the two requests.
      var (lock, number): (Int32, Int32) = (0, 0)
      guard terminal >= 0, ioctl(terminal, 0x4004_5431, &lock) == 0, ioctl(terminal, 0x8004_5430, &number) == 0 else {
        throw CocoaError(.fileNoSuchFile)
      }
      let other = open("/dev/pts/\(number)", O_RDWR | O_NOCTTY)
    #else
      guard terminal >= 0, grantpt(terminal) == 0, unlockpt(terminal) == 0, let name = ptsname(terminal) else {
        throw CocoaError(.fileNoSuchFile)
      }
      let other = open(name, O_RDWR | O_NOCTTY)
    #endif
    guard other >= 0 else { throw CocoaError(.fileNoSuchFile) }
    return (terminal, other)
  }

  /// Runs with a terminal as the standard output; returns its lines.
  private func lines(columns: UInt16, _ arguments: [String]) throws -> [String] {
    let (terminal, other) = try Self.pair()
    defer { close(terminal) }
    var size = winsize(ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
    guard ioctl(other, UInt(TIOCSWINSZ), &size) == 0 else { throw CocoaError(.fileNoSuchFile) }
    let process = try Tool.process(arguments, environment: ["NO_COLOR": "1"])
    process.standardOutput = FileHandle(fileDescriptor: other)
    process.standardError = FileHandle.nullDevice
    try process.run()
    close(other)
    var (bytes, piece): ([UInt8], [UInt8]) = ([], [UInt8](repeating: 0, count: 4096))
    // The end is an error: nobody holds the other side any more.
    while true {
      let count = read(terminal, &piece, piece.count)
      if count <= 0 { break }
      bytes += piece[..<count]
    }
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
    // Terminals put a carriage return before every line end.
    return String(decoding: bytes.filter { $0 != UInt8(ascii: "\r") }, as: UTF8.self).split(separator: "\n").map(
      String.init)
  }

  @Test func namesStayDifferentOnANarrowTerminal() throws {
    let directory = try TemporaryDirectory()
    let text = try directory.write(
      Array((0..<60).map { "word\($0)" }.joined(separator: " ").utf8), as: "text.txt")
    let sae = Tool.dictionary("resid_post/layer_3_width_37_l0_small")
    let names = (1...12).map { "transcoder_layer_\($0)_width_640_l0_30_affine" }
    let arguments =
      ["evaluate", "--model", Tool.model, "--corpus", text.path, "--context", "32", "--tokens", "64"]
      + ["--loss-tokens", "32"] + names.flatMap { ["--dictionary", "\($0)=\(sae)"] }
    let found = try lines(columns: 80, arguments)
    #expect(found.dropFirst().allSatisfy { $0.count <= 80 }, "\(found)")
    for layer in 1...12 {
      let start = "transcoder_layer_\(layer)"
      #expect(found.count { $0.hasPrefix(start + "_") || $0.hasPrefix(start + "…") } == 1, "\(found)")
    }
    // Titles are whole, and what has no room is named.
    let title = try #require(found.dropFirst().first { $0.hasPrefix("dictionary") })
    #expect(title.contains("FVU") && title.contains("loss"))
    #expect(found.contains { $0.hasPrefix("no room for: ") && $0.contains("mean-ablated") }, "\(found)")
    let wide = try lines(columns: 200, arguments)
    #expect(names.allSatisfy { name in wide.contains { $0.hasPrefix(name + " ") } })
    #expect(!wide.contains { $0.hasPrefix("no room") })
  }
}
