public import Activations
import Checkpoints
public import Dictionaries
public import Foundation
import GRDB
public import Gemma
import Sites
public import Tokenization

/// How far a build is.
public struct BuildProgress: Equatable, Sendable {
  /// What is being done.
  public enum Stage: String, Sendable {
    /// The pass of the model; counts tokens.
    case pass
    /// Examples and logit tables; counts features.
    case features
    /// Neighbours; counts features.
    case neighbours
    /// Writing the finished file.
    case file
  }

  public let stage: Stage
  public let done: Int
  public let total: Int
}

/// Builds an atlas: one pass of the model over a corpus, in which every feature of any number of dictionaries is
/// watched at once, in memory that does not grow with the text.
///
/// ```swift
/// let builder = try AtlasBuilder(
///   model, AtlasModel(name: "google/gemma-3-270m", sha256: hash), tokenizer: tokenizer, corpus: corpus,
///   dictionaries: dictionaries, options: AtlasOptions(tokens: 1_000_000), at: URL(filePath: "atlas.sqlite"))
/// try builder.build()
/// ```
///
/// What was stopped, by whatever, is taken up where it stands by building again with the same arguments, and ends in
/// the same atlas. Until then `NAME-build/` holds it, and there is no file `NAME`.
public final class AtlasBuilder {
  let model: GemmaModel
  let identity: AtlasModel
  let tokenizer: GemmaTokenizer
  let corpus: Corpus
  let dictionaries: [SparseDictionary]
  let options: AtlasOptions
  let files: AtlasFiles
  let hashes: [String]
  let fingerprint: BuildFingerprint
  /// Layers whose attention output's norm is kept.
  let attentionLayers: [Int]
  /// The first feature's number in the database, of each dictionary.
  let firstFeatures: [Int]
  let check: CancellationCheck

  /// What the build takes.
  public let plan: BuildPlan

  /// - Parameters:
  ///   - identity: what the model is called, and the hash of its weights.
  ///   - url: the file to make.
  ///   - check: called often; throws to stop.
  /// - Throws: `AtlasError.option`; `DictionaryError.doesNotFit`; what reading the files to hash them throws.
  public init(
    _ model: GemmaModel, _ identity: AtlasModel, tokenizer: GemmaTokenizer, corpus: Corpus,
    dictionaries: [SparseDictionary], options: AtlasOptions, at url: URL, check: @escaping CancellationCheck = {}
  ) throws {
    try options.validate()
    let plan = BuildPlan(dictionaries, model: model, options: options)
    guard plan.bytes <= plan.available else {
      throw AtlasError.option(
        name: "dictionaries",
        reason: "their \(plan.features) features need up to \(plan.bytes >> 20) MB of memory, this machine has "
          + "\(plan.available >> 20) MB; build atlases of fewer dictionaries")
    }
    guard !dictionaries.isEmpty, Set(dictionaries.map(\.name)).count == dictionaries.count else {
      throw AtlasError.option(name: "dictionaries", reason: "expected one or several of different names")
    }
    guard options.context <= model.configuration.maximumPositions else {
      throw AtlasError.option(
        name: "context",
        reason: "\(options.context) tokens are more than the model's \(model.configuration.maximumPositions)")
    }
    for dictionary in dictionaries { try dictionary.fits(model.shape, modelName: identity.name) }
    self.model = model
    self.identity = identity
    self.tokenizer = tokenizer
    self.corpus = corpus
    self.dictionaries = dictionaries
    self.options = options
    self.check = check
    files = AtlasFiles(url)
    self.plan = plan
    hashes = try dictionaries.map { try WeightHash.sha256(of: $0.weightFiles) { _ in try check() } }
    fingerprint = try BuildFingerprint(
      model: identity, tokenizer: tokenizer, corpus: corpus, dictionaries: dictionaries, hashes: hashes,
      options: options, check: check)
    let attention = dictionaries.flatMap { $0.shape.writes }.filter { $0.kind == .attnOut }
    attentionLayers = Set(attention.map(\.layer)).sorted()
    var first = 0
    firstFeatures = dictionaries.map { dictionary in
      defer { first += dictionary.shape.totalWidth }
      return first
    }
  }

  /// Builds the atlas, or what is left of it. A finished one of the same fingerprint is left as it is.
  /// - Parameter report: told how far it is.
  /// - Throws: `AtlasError`: `.otherSettings` where another build stands, `.taken` while another process builds here;
  ///   whatever the corpus, the model or `check` throws. What is done by then is kept.
  public func build(report: (BuildProgress) throws -> Void = { _ in }) throws {
    if files.isFinished {
      let atlas = try Atlas(contentsOf: files.url)
      try compare(with: try atlas.meta("fingerprint"))
      if FileManager.default.fileExists(atPath: files.folder.path) { try files.locked { try files.removeFolder() } }
      return
    }
    try files.locked {
      AtomicFile.removeLeftovers(in: files.folder)
      try files.begin(describe)
      let pool = try files.openForBuilding()
      try AtlasFiles.named(files.working) {
        var build = try RunningBuild(self, pool: pool)
        try build.pass(report)
        try build.finish(report)
        try report(BuildProgress(stage: .file, done: 0, total: 1))
        try files.publish(pool)
        try pool.close()
      }
      try files.removeFolder()
    }
    try report(BuildProgress(stage: .file, done: 1, total: 1))
  }

  func compare(with found: String?) throws {
    guard let found, let other = BuildFingerprint(json: found) else {
      throw AtlasError.state(path: files.url.path, reason: "tells no fingerprint; start again with --overwrite")
    }
    if let difference = fingerprint.difference(from: other) {
      throw AtlasError.otherSettings(
        path: files.url.path, key: difference.key, found: difference.others.clipped, expected: difference.own.clipped)
    }
  }

  /// Removes an atlas and what is left of its building, so that it is built anew.
  /// - Throws: `AtlasError.taken` while another process builds it, `.file`.
  public static func remove(_ url: URL) throws {
    let files = AtlasFiles(url)
    try files.locked {
      if files.isFinished {
        do {
          try FileManager.default.removeItem(at: url)
        } catch {
          throw AtlasError.file(path: url.path, reason: "cannot be removed")
        }
      }
      try files.removeFolder()
    }
  }
}
