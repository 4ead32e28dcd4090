package import Foundation

/// Files that tests read and folders that they write.
package enum Fixtures {
  /// The repository's root, found from this file's place in it.
  package static let repository = URL(filePath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  /// `Tests/Fixtures/<path>`.
  package static func url(_ path: String) -> URL { repository.appending(path: "Tests/Fixtures/\(path)") }

  /// A real Gemma 3 (a GGUF or a folder): `GSCOPE_MODEL`, or where that is not set the one `make demo` fetched, else
  /// nil. A model that is named is used whether it exists or not: tests asked for must fail rather than be skipped.
  package static let realModel: URL? = {
    if let named = ProcessInfo.processInfo.environment["GSCOPE_MODEL"], !named.isEmpty { return URL(filePath: named) }
    let fetched = repository.appending(path: "models/gemma-3-270m-q4_k_m.gguf")
    return FileManager.default.fileExists(atPath: fetched.path) ? fetched : nil
  }()
}

/// A folder of its own for one test, removed when the value goes away.
package final class TemporaryDirectory: Sendable {
  package let url: URL

  package init() throws {
    url = FileManager.default.temporaryDirectory.appending(path: "gemmascope-tests-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: url) }

  /// Writes `bytes` to `name` in the folder and returns its place.
  package func write(_ bytes: some Sequence<UInt8>, as name: String) throws -> URL {
    let file = url.appending(path: name)
    try Data(bytes).write(to: file)
    return file
  }
}
