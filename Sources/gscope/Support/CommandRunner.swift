import ArgumentParser
import Dictionaries
import Foundation

/// Runs a command line and turns whatever happens into one message and an exit status: 0 done, 1 failed, 2 wrong usage,
/// 130 interrupted.
enum CommandRunner {
  static func run(_ arguments: [String]) -> Int32 {
    // A closed pipe shows as EPIPE, so that temporary files are removed before the process ends.
    signal(SIGPIPE, SIG_IGN)
    do {
      var command = try Gscope.parseAsRoot(arguments)
      Diagnostics.start()
      Interruption.install()
      try command.run()
      return 0
    } catch let error as CommandError {
      return finish(error)
    } catch {
      return finish(error)
    }
  }

  private static func finish(_ error: CommandError) -> Int32 {
    switch error {
    case .interrupted(let signal):
      Diagnostics.message("interrupted")
      return 128 + signal
    case .outputClosed:
      // The reader went away; end as any program does that it no longer listens to.
      signal(SIGPIPE, SIG_DFL)
      raise(SIGPIPE)
      return 128 + SIGPIPE
    case .toldByRoot:
      return 0
    case .usage(let text):
      Diagnostics.error(text)
      return 2
    default:
      Diagnostics.error(error.description)
      return 1
    }
  }

  private static func finish(_ error: any Error) -> Int32 {
    let code = Gscope.exitCode(for: error)
    if code == .success {
      do {
        try StandardOutput.write(Gscope.fullMessage(for: error) + "\n")
        return 0
      } catch let error as CommandError {
        return finish(error)
      } catch {
        return 1
      }
    }
    guard code == .validationFailure else {
      Diagnostics.error(description(of: error))
      return 1
    }
    let text = Gscope.fullMessage(for: error)
    Diagnostics.error(text.hasPrefix("Error: ") ? String(text.dropFirst(7)) : text)
    return 2
  }

  /// What `error` says, with the flag that helps where there is one: the libraries know no flags.
  private static func description(of error: any Error) -> String {
    guard case DictionaryError.unknownSite(let path) = error else { return "\(error)" }
    return "\(path): neither config.json nor the path tells which site this dictionary reads; name it with --at SITE, "
      + "such as --at resid_post.9"
  }
}
