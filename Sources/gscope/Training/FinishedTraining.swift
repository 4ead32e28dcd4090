import Checkpoints
import Collectives
import Foundation
import Training

/// A folder in which a run has ended, found again by `--resume`.
struct FinishedTraining {
  let folder: URL

  /// Nil where there is something to train. All ranks call it.
  /// - Throws: `RunError.occupied` when the run has ended and was not said to be taken up.
  init?(_ folder: URL, resumes: Bool, _ ranks: any Communicator) throws {
    func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: folder.appending(path: name).path) }
    let isFinished = try ranks.fromRoot {
      guard !exists("checkpoint/manifest.json"), exists("training.json") || exists("suite.json") else { return false }
      guard resumes else { throw RunError.occupied(path: folder.path) }
      // A kill may have come while these were removed.
      if let lock = try? RunLock(folder) {
        withExtendedLifetime(lock) { try? FileManager.default.removeItem(at: folder.appending(path: "checkpoint")) }
      }
      return true
    }
    guard isFinished else { return nil }
    self.folder = folder
  }

  /// Says that nothing is left to do, after looking whether the folder holds what is asked for, and draws plots if they
  /// are. All ranks call it.
  /// - Throws: `RunError.otherRun` naming the first key in which a recipe differs.
  func confirm(_ items: [TrainingSession.Item], _ options: TrainingOptions, _ ranks: any Communicator) throws {
    try ranks.together {
      guard ranks.isRoot else { return }
      try checkNames(items)
      for item in items {
        let recipe = try Recipe(finished: item.folder.appending(path: "training.json"))
        guard let (key, found, expected) = try recipe.difference(from: item.recipe) else { continue }
        throw RunError.otherRun(
          path: folder.path, key: items.count == 1 ? key : "\(key) of \(item.name)", found: found, expected: expected)
      }
      if options.plot { try TrainingSession.plot(items, in: folder) }
      try StandardOutput.line("\(folder.path) is finished")
    }
  }

  /// A suite's list of dictionaries must be the one that is asked for.
  private func checkNames(_ items: [TrainingSession.Item]) throws {
    guard let data = try? Data(contentsOf: folder.appending(path: "suite.json")),
      case .object(let suite)? = try? JSONTree(Array(data)), case .array(let entries)? = suite["dictionaries"]
    else { return }
    let found = entries.compactMap { entry -> String? in
      guard case .object(let fields) = entry, case .string(let name)? = fields["name"] else { return nil }
      return name
    }
    guard found == items.map(\.name) else {
      throw RunError.otherRun(
        path: folder.path, key: "list of dictionaries", found: found.joined(separator: ", "),
        expected: items.map(\.name).joined(separator: ", "))
    }
  }
}
