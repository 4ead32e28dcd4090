import Collectives
import Dictionaries
import Foundation
import Training

extension TrainingSession {
  /// Refuses dictionaries whose state the machine cannot hold: it would hand out the memory and end the process when it
  /// is used, which says nothing.
  /// - Throws: `RecipeError` for the width.
  func checkMemory(_ jobs: [TrainingJob]) throws {
    let needed = jobs.reduce(0) { sum, job in
      let planned = PlannedDictionary(
        kind: job.shape.kind, reads: job.shape.reads, writes: job.shape.writes, width: job.shape.width,
        inputWidth: job.shape.inputWidth, outputWidth: job.shape.outputWidth, l0: Int(job.recipe.l0),
        isAffine: job.shape.isAffine)
      // A first moment is a third number for each trained one.
      let (bytes, more) = (planned.stateBytes(ranks: ranks.count), job.recipe.adam.beta1 > 0 ? 3 : 2)
      return sum + bytes / 2 * more
    }
    let installed = Int(clamping: ProcessInfo.processInfo.physicalMemory)
    guard needed > installed else { return }
    throw RecipeError.value(
      path: recipeURL.path, key: "width",
      reason: "asks for \(Format.bytes(needed)) of training state on each rank; this machine has "
        + "\(Format.bytes(installed)): expected fewer features, or more ranks on other machines (see gscope plan)")
  }
}
