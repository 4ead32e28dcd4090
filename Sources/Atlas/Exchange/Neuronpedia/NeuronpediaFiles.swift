import Checkpoints
import Foundation

/// The files of a source: `features/batch-n.jsonl.gz`, `activations/…`, `explanations/…`.
struct NeuronpediaFiles {
  /// Features of a file; its activations are those of the same features.
  static let batch = 1024
  /// The import asks for one page of a listing, which has 1,000 files.
  static let mostRows = batch * 1000

  let folder: URL

  /// The folder of a source.
  /// - Throws: `CheckpointError.unwritable`.
  init(_ folder: URL) throws {
    self.folder = folder
    for table in ["features", "activations", "explanations"] { try Self.make(folder.appending(path: table)) }
  }

  static func make(_ folder: URL) throws {
    do {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    } catch {
      throw CheckpointError.unwritable(file: folder.path, reason: "cannot be made")
    }
  }

  func table(_ name: String) -> Table { Table(folder: folder.appending(path: name)) }

  /// Rows of one table in files of one batch each. A batch without rows has no file: the import takes the first line of
  /// a file for its columns.
  final class Table {
    private let folder: URL
    private var open: (batch: Int, file: GzipTextFile)?
    private(set) var rows = 0

    init(folder: URL) { self.folder = folder }

    /// Adds a row to the file of `batch`, which never falls.
    func add(_ line: String, to batch: Int) throws {
      if open?.batch != batch {
        try finish()
        open = (batch, try GzipTextFile(folder.appending(path: "batch-\(batch).jsonl.gz")))
      }
      try open?.file.write(line)
      rows += 1
    }

    func finish() throws {
      try open?.file.finish()
      open = nil
    }
  }
}
