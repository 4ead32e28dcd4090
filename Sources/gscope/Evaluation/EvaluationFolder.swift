import Checkpoints
import Foundation

/// The folder that gets `evaluation.json` and `report.html`; what else it holds stays.
struct EvaluationFolder {
  let url: URL

  /// Makes the folder, so that one that cannot be is known before the model runs.
  /// - Throws: `CommandError.file`.
  init(_ url: URL) throws {
    self.url = url
    do {
      try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    } catch {
      throw CommandError.file(path: url.path, reason: "cannot be made: a folder is expected here")
    }
    guard FileManager.default.isWritableFile(atPath: url.path) else {
      throw CommandError.file(path: url.path, reason: "is a folder that cannot be written to")
    }
  }

  func write(_ report: EvaluationReport) throws {
    try AtomicFile.write(Data((report.json.text + "\n").utf8), to: url.appending(path: "evaluation.json"))
    try AtomicFile.write(Data(EvaluationPage(report: report).html.utf8), to: url.appending(path: "report.html"))
  }
}
