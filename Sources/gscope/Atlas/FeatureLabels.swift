import Atlas
import Checkpoints
import Dictionaries
import Foundation
import Logging
import Sites

/// Labels of features, from the atlas that was named, or the one that came with the suite.
final class FeatureLabels {
  /// For each dictionary the atlas that has it, and its name there.
  private var sources: [(atlas: Atlas, dictionary: AtlasDictionary)?] = []
  private var known: [FeatureKey: AtlasExplanation?] = [:]

  /// - Parameter path: what `--atlas` says; without it `GSCOPE_ATLAS`, then the suite's own atlas where it was
  ///   expanded.
  /// - Throws: `AtlasError` for an atlas that was named and cannot be read.
  init(
    _ path: String?, dictionaries: [SparseDictionary],
    environment: [String: String] = ProcessInfo.processInfo.environment
  ) throws {
    let named = path ?? environment["GSCOPE_ATLAS"].flatMap { $0.isEmpty ? nil : $0 }
    let given = try named.map { try Atlas(contentsOf: URL(filePath: $0)) }
    var ofSuites: [[URL]: Atlas?] = [:]
    for dictionary in dictionaries {
      let suites = Suite.folders(above: dictionary.url)
      if given == nil, ofSuites[suites] == nil { ofSuites[suites] = .some(Self.atlas(of: suites, environment)) }
      guard let atlas = given ?? ofSuites[suites] ?? nil else {
        sources.append(nil)
        continue
      }
      let shape = dictionary.shape
      let alike = atlas.dictionaries.filter { $0.reads == shape.reads && $0.width == shape.width }
      // Names are given freely; what a label is about are the weights. Hashing these takes time.
      let hash =
        alike.isEmpty ? nil : try WeightHash.sha256(of: dictionary.weightFiles) { _ in try Interruption.check() }
      let entry = alike.first { $0.sha256 == hash }
      if entry == nil, given != nil {
        Diagnostics.log.warning("\(atlas.url.path) has no dictionary of the weights of '\(dictionary.name)': no labels")
      }
      sources.append(entry.map { (atlas, $0) })
    }
  }

  /// The label to show of a feature of dictionary `index`, with its scores; nil without one.
  func label(_ index: Int, _ feature: DictionaryCode.Active) throws -> AtlasExplanation? {
    guard let (atlas, dictionary) = sources[index] else { return nil }
    let layer = dictionary.reads.count > 1 ? dictionary.reads[feature.read].layer : nil
    let key = FeatureKey(dictionary: dictionary.name, layer: layer, index: feature.feature)
    if let label = known[key] { return label }
    let label = try atlas.explanations(key).first
    known[key] = .some(label)
    return label
  }

  /// The expanded atlas of the nearest suite that has one packed: `.cache/atlas/HASH.sqlite` here or in the user's cache,
  /// HASH being the first 16 digits of the packed file's SHA-256.
  private static func atlas(of suites: [URL], _ environment: [String: String]) -> Atlas? {
    let hashes = suites.lazy.compactMap { try? SHA256.hex(of: $0.appending(path: "atlas/atlas.gsatlas")) }
    guard let hash = hashes.first else { return nil }
    let name = "atlas/\(hash.prefix(16)).sqlite"
    let places = [URL(filePath: ".cache"), ModelCache.cacheFolder(environment)].map { $0.appending(path: name) }
    return places.lazy.compactMap { try? Atlas(contentsOf: $0) }.first
  }
}
