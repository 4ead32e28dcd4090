import Checkpoints
public import Foundation
import Plots

/// The curves of training runs: loss, FVU, L0 and dead share over tokens.
public struct TrainingPlots: Sendable {
  /// File name and picture.
  public let files: [(name: String, svg: String)]

  /// - Parameter runs: names with their `metrics.jsonl`.
  /// - Throws: `RunError.checkpoint` for a file that is no log of metrics.
  public init(_ runs: [(name: String, metrics: URL)]) throws {
    let logs = try runs.map { ($0.name, try MetricsLog.read($0.metrics)) }
    func plot(_ title: String, _ label: String, _ value: (MetricsLine) -> Double) -> Plot {
      Plot(
        title: logs.count == 1 ? "\(title): \(logs[0].0)" : title, xLabel: "activations trained on", yLabel: label,
        series: logs.map { name, lines in
          Plot.Series(name, .line, lines.map { Plot.Point(Double($0.tokens), value($0)) })
        })
    }
    files = [
      ("loss.svg", plot("Loss", "loss") { $0.loss }.svg),
      ("fvu.svg", plot("Fraction of variance unexplained", "FVU") { $0.fvu }.svg),
      ("l0.svg", plot("Active features per token", "L0") { $0.l0 }.svg),
      ("dead.svg", plot("Dead features", "share of features") { $0.dead }.svg),
    ]
  }

  /// Writes the pictures into `folder`, which is made.
  /// - Throws: `CheckpointError.unwritable`.
  public func write(to folder: URL) throws {
    do {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    } catch {
      throw CheckpointError.unwritable(file: folder.path, reason: "the folder cannot be made")
    }
    for file in files { try AtomicFile.write(Data(file.svg.utf8), to: folder.appending(path: file.name)) }
  }
}
