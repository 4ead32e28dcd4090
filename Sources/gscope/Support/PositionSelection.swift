import ArgumentParser

/// `--positions all|last|3,4`: which tokens of a text a command reports.
enum PositionSelection: ExpressibleByArgument, Equatable {
  case all
  case last
  /// Ascending, without repeats.
  case list([Int])

  init?(argument: String) {
    switch argument {
    case "all": self = .all
    case "last": self = .last
    default:
      let numbers = argument.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
      let positions = numbers.compactMap { $0 }.filter { $0 >= 0 }
      guard !positions.isEmpty, positions.count == numbers.count else { return nil }
      self = .list(Set(positions).sorted())
    }
  }

  var defaultValueDescription: String { self == .all ? "all" : "last" }

  /// The positions in a text of `count` tokens.
  /// - Throws: `CommandError.usage` for one that the text does not have.
  func positions(in text: TokenizedText) throws -> [Int] {
    switch self {
    case .all: return Array(0..<text.count)
    case .last: return [text.count - 1]
    case .list(let list):
      if let bad = list.first(where: { $0 >= text.count }) {
        throw CommandError.usage("--positions \(bad): \(text.source) has the positions 0 to \(text.count - 1)")
      }
      return list
    }
  }
}
