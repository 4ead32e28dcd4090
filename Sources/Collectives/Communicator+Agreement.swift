import Foundation

extension Communicator {
  /// Does what may fail on some ranks alone, such as writing a file, and meets: all ranks go on, or all throw the same.
  /// `body` itself must not meet others, unless it fails on all or none.
  /// - Throws: what `body` throws where there is one rank; else `CollectivesError.failed` on every rank.
  public func together<Result>(_ body: () throws -> Result) throws -> Result {
    guard count > 1 else { return try body() }
    let outcome = Swift.Result { try body() }
    var text = ""
    if case .failure(let error) = outcome { text = "\(error)" }
    let reasons = try allGather(Array(text.utf8)).map { String(decoding: $0, as: UTF8.self) }
    guard let first = reasons.firstIndex(where: { !$0.isEmpty }) else { return try outcome.get() }
    // What failed everywhere alike is no fault of one.
    let isCommon = reasons.allSatisfy { $0 == reasons[0] }
    throw CollectivesError.failed(rank: isCommon ? nil : first, count: count, reason: reasons[first])
  }

  /// What the root finds out, on every rank.
  /// - Throws: as `together`.
  public func fromRoot<Answer: Codable>(_ body: () throws -> Answer) throws -> Answer {
    guard count > 1 else { return try body() }
    let bytes = try together { isRoot ? Array(try JSONEncoder().encode(body())) : [] }
    return try JSONDecoder().decode(Answer.self, from: Data(try broadcast(bytes)))
  }
}
