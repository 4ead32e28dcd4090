/// How texts are packed into sequences for the model.
///
/// Every sequence begins with `<bos>`; documents follow one another without padding and run on from one sequence to the
/// next. Where a document begins inside a sequence it gets a `<bos>` of its own, so that the model sees a beginning (it
/// still attends to what stands before). All sequences have `context` tokens, but for the last of the corpus, which has
/// what is left.
public struct PackingOptions: Codable, Equatable, Sendable {
  /// Tokens of a sequence, `<bos>` included.
  public var context: Int
  /// Whether a document that begins inside a sequence gets a `<bos>`.
  public var marksDocuments: Bool
  /// The stream ends when so many tokens that are not special have been packed (of all shards together); the sequence
  /// in which that happens counts up to there. Nil: with the corpus.
  public var tokenLimit: Int?
  /// This reader's share of the sequences: those whose number leaves `shard` when divided by `shardCount`.
  public var shard: Int
  public var shardCount: Int

  enum CodingKeys: String, CodingKey {
    case context, shard
    case marksDocuments = "marks_documents"
    case tokenLimit = "token_limit"
    case shardCount = "shard_count"
  }

  public init(
    context: Int = 1024, marksDocuments: Bool = true, tokenLimit: Int? = nil, shard: Int = 0, shardCount: Int = 1
  ) {
    self.context = context
    self.marksDocuments = marksDocuments
    self.tokenLimit = tokenLimit
    self.shard = shard
    self.shardCount = shardCount
  }

  /// - Throws: `ActivationError.option`.
  func validate() throws {
    guard 2...1 << 20 ~= context else {
      throw ActivationError.option(name: "context", reason: "is \(context), expected 2 to \(1 << 20)")
    }
    if let tokenLimit, tokenLimit < 1 {
      throw ActivationError.option(name: "tokens", reason: "is \(tokenLimit), expected 1 or more")
    }
    guard shardCount >= 1, 0..<shardCount ~= shard else {
      throw ActivationError.option(
        name: "shard", reason: "is \(shard)/\(shardCount), expected i/N with i from 0 to N - 1")
    }
  }
}
