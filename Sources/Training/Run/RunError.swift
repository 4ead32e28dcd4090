/// A training run that cannot begin, go on or end.
public enum RunError: Error, Equatable, Sendable, CustomStringConvertible {
  /// Another process works in the folder.
  case locked(path: String, process: Int?)
  /// The folder holds a run or a finished dictionary, and it was not said to go on with it.
  case occupied(path: String)
  /// A checkpoint that is damaged.
  case checkpoint(path: String, reason: String)
  /// A checkpoint of a run with other settings.
  case otherRun(path: String, key: String, found: String, expected: String)
  /// The corpus gave no activations at all.
  case noActivations
  /// The loss is no number or far above what predicting nothing would give, or FVU is lost that had been reached.
  /// `kept` is the step of the checkpoint that is left, if there is one.
  case diverged(name: String, step: Int, evidence: String, advice: String, kept: Int? = nil)

  public var description: String {
    switch self {
    case .locked(let path, let process):
      "\(path): another gscope\(process.map { " (process \($0))" } ?? "") is training into this folder; wait for it, "
        + "or choose another --output"
    case .occupied(let path):
      "\(path): holds a training run already; go on with it by --resume, or choose another --output"
    case .checkpoint(let path, let reason): "\(path): the checkpoint cannot be used: \(reason)"
    case .otherRun(let path, let key, let found, let expected):
      "\(path): the run there has another \(key): \(found) there, \(expected) asked for; choose another --output"
    case .noActivations: "the corpus has no tokens to train on"
    case .diverged(let name, let step, let evidence, let advice, let kept):
      "\(name): training diverged at step \(step) (\(evidence)); "
        + (kept.map { "the checkpoint of step \($0) is kept: \(advice), then go on with --resume or begin anew" }
          ?? "\(advice), then begin anew")
    }
  }
}
