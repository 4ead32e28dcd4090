/// What a run was made from; stands in every checkpoint and in `training.json`.
public struct RunIdentity: Codable, Equatable, Sendable {
  /// Of gscope.
  public var version: String
  public var modelName: String
  /// Of the weights' files.
  public var modelSHA256: String
  /// Path as it was given.
  public var corpus: String
  /// Of the texts and how they are read, or of the store of activations.
  public var corpusSHA256: String
  /// Of the store of activations (`ActivationStore.digest`), empty where the model runs over the corpus. Nil in
  /// checkpoints of versions that did not note it, which go on with any store of the same corpus.
  public var storeSHA256: String?

  public init(
    version: String, modelName: String, modelSHA256: String, corpus: String, corpusSHA256: String,
    storeSHA256: String? = nil
  ) {
    self.version = version
    self.modelName = modelName
    self.modelSHA256 = modelSHA256
    self.corpus = corpus
    self.corpusSHA256 = corpusSHA256
    self.storeSHA256 = storeSHA256
  }

  private enum CodingKeys: String, CodingKey {
    case version, corpus
    case modelName = "model_name"
    case modelSHA256 = "model_sha256"
    case corpusSHA256 = "corpus_sha256"
    case storeSHA256 = "store_sha256"
  }

  /// The first difference that makes another run of it.
  func difference(from other: RunIdentity) -> (key: String, own: String, other: String)? {
    if modelSHA256 != other.modelSHA256 { return ("model", modelSHA256, other.modelSHA256) }
    if corpusSHA256 != other.corpusSHA256 { return ("corpus", corpusSHA256, other.corpusSHA256) }
    if let store = storeSHA256, let others = other.storeSHA256, store != others {
      func name(_ hash: String) -> String { hash.isEmpty ? "the model's own pass" : "a store with the digest \(hash)" }
      return ("source of activations", name(store), name(others))
    }
    return nil
  }
}
