/// What a command cannot do, or what ended it.
enum CommandError: Error, Equatable, CustomStringConvertible {
  /// The command line asks for something impossible; found only after parsing. Exit status 2.
  case usage(String)
  /// No model was named, or none is called so.
  case model(String)
  /// Something that other versions may have and this one has not.
  case unavailable(flag: String, alternative: String)
  /// Input whose contents are wrong; `source` is a flag, file or line.
  case input(source: String, reason: String)
  /// A file or stream that cannot be read or written.
  case file(path: String, reason: String)
  /// A check that found a fault which the output names.
  case checkFailed(String)
  /// Whoever read the standard output has gone.
  case outputClosed
  /// The user stopped the command; exit status 128 + `signal`.
  case interrupted(signal: Int32)
  /// The first of several ranks says what happened and ends with the status for it; the others end with 0.
  case toldByRoot

  var description: String {
    switch self {
    case .usage(let text), .model(let text), .checkFailed(let text): text
    case .unavailable(let flag, let alternative): "\(flag) is not available in this version; \(alternative)"
    case .input(let source, let reason), .file(let source, let reason): "\(source): \(reason)"
    case .toldByRoot: "the first rank tells what happened"
    case .outputClosed: "the standard output was closed"
    case .interrupted(let signal): "interrupted by signal \(signal)"
    }
  }
}
