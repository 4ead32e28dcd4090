import Checkpoints
import Dictionaries
import Foundation
import Sites
import Tensors

/// An intervention with what it names found and checked.
struct ResolvedIntervention {
  enum Target {
    case vector([Float], Site)
    case feature(ResolvedFeature)
    case splice(ResolvedSplice)
  }

  let index: Int
  let intervention: Intervention
  let target: Target

  var kind: Intervention.Kind { intervention.kind }
  var feature: ResolvedFeature? { if case .feature(let feature) = target { feature } else { nil } }
  var splice: ResolvedSplice? { if case .splice(let splice) = target { splice } else { nil } }
  /// Whether it asks what a feature's activation is.
  var needsActivation: Bool { feature != nil && [.set, .scale, .ablate, .cap].contains(kind) }

  func failure(_ problem: String) -> GemmaError { .intervention(index: index, problem: problem) }
}

struct ResolvedFeature {
  let key: FeatureKey
  let dictionary: SparseDictionary
  /// Places in the dictionary's `writes`.
  let writes: [Int]
}

struct ResolvedSplice {
  let slot: Int
  let dictionary: SparseDictionary
  let writes: [Int]
}

struct InterventionResolver {
  let dictionaries: [SparseDictionary]
  let shape: ModelShape
  /// Dictionaries known to fit.
  private var fitting: Set<Int> = []

  init(dictionaries: [SparseDictionary], shape: ModelShape) {
    self.dictionaries = dictionaries
    self.shape = shape
  }

  mutating func resolve(_ intervention: Intervention, index: Int) throws -> ResolvedIntervention {
    try intervention.validate(index: index)
    let target: ResolvedIntervention.Target
    switch intervention.target {
    case .vector(let vector):
      guard let site = intervention.site else { throw failure(index, "'site' is missing") }
      try shape.validate(site)
      target = .vector(try read(vector, at: site, index: index), site)
    case .feature(let feature):
      target = .feature(try resolve(feature, of: intervention, index: index))
    case .dictionary(let name):
      let slot = try slot(name, index: index)
      target = .splice(
        .init(
          slot: slot, dictionary: dictionaries[slot], writes: try writes(slot, from: 0, intervention, index: index)))
    }
    return ResolvedIntervention(index: index, intervention: intervention, target: target)
  }

  private func failure(_ index: Int, _ problem: String) -> GemmaError { .intervention(index: index, problem: problem) }

  private func read(_ vector: Intervention.Vector, at site: Site, index: Int) throws -> [Float] {
    let tensor = try SafetensorsFile(vector.file).tensor(vector.tensor)
    let width = shape.width(of: site)
    guard tensor.shape == [width] || tensor.shape == [1, width] else {
      throw failure(index, "tensor '\(vector.tensor)' has shape \(tensor.shape), but \(site) is \(width) wide")
    }
    let values = try tensor.read()
    guard values.allSatisfy(\.isFinite) else {
      throw failure(index, "tensor '\(vector.tensor)' holds numbers that are not finite")
    }
    return values
  }

  private mutating func resolve(_ feature: Intervention.Feature, of intervention: Intervention, index: Int) throws
    -> ResolvedFeature
  {
    let slot = try slot(feature.dictionary, index: index)
    let dictionary = dictionaries[slot]
    let reads = dictionary.shape.reads
    let layers = reads.map { "\($0.layer)" }.joined(separator: ", ")
    let read: Int
    if let layer = feature.layer {
      guard let found = reads.firstIndex(where: { $0.layer == layer }) else {
        throw failure(
          index, "'layer' is \(layer), but '\(dictionary.name)' reads layer\(reads.count > 1 ? "s" : "") \(layers)")
      }
      read = found
    } else {
      guard reads.count == 1 else {
        throw failure(
          index, "'layer' is missing: '\(dictionary.name)' reads layers \(layers), each with its own features")
      }
      read = 0
    }
    guard feature.index < dictionary.shape.width else {
      throw failure(
        index, "'feature' is \(feature.index), but '\(dictionary.name)' has features 0..<\(dictionary.shape.width)")
    }
    return ResolvedFeature(
      key: FeatureKey(read: ReadKey(dictionary: slot, read: read), feature: feature.index), dictionary: dictionary,
      writes: try writes(slot, from: read, intervention, index: index))
  }

  /// The writes from `first` on that `site` and `layers` leave.
  private func writes(_ slot: Int, from first: Int, _ intervention: Intervention, index: Int) throws -> [Int] {
    let dictionary = dictionaries[slot]
    let sites = dictionary.shape.writes
    let possible = Array(sites.indices.dropFirst(first))
    let listed = possible.map { sites[$0].description }.joined(separator: ", ")
    if let site = intervention.site, !possible.contains(where: { sites[$0] == site }) {
      throw failure(index, "'site' is \(site), but what is written here is \(listed)")
    }
    let left = possible.filter { write in
      (intervention.site.map { $0 == sites[write] } ?? true)
        && (intervention.layers?.contains(sites[write].layer) ?? true)
    }
    guard !left.isEmpty else {
      let layers = intervention.layers.map { "\($0)" } ?? "all"
      throw failure(
        index, "'layers' \(layers) leaves none of the sites written: \(intervention.site?.description ?? listed)")
    }
    return left
  }

  /// The dictionary called `name`, checked against the model.
  private mutating func slot(_ name: String, index: Int) throws -> Int {
    let named = dictionaries.indices.filter { dictionaries[$0].name == name }
    let found = named.isEmpty ? dictionaries.indices.filter { lastPart(dictionaries[$0].name) == name } : named
    guard let slot = found.first else {
      guard let nearest = dictionaries.map(\.name).min(by: { difference($0, name) < difference($1, name) }) else {
        throw failure(index, "'dictionary' is '\(name)', but no dictionary is given")
      }
      throw failure(index, "'dictionary' is '\(name)', which is not given; nearest: '\(nearest)'")
    }
    guard found.count == 1 else {
      let names = found.map { "'\(dictionaries[$0].name)'" }.joined(separator: ", ")
      throw failure(index, "'dictionary' is '\(name)', which may be any of \(names)")
    }
    if fitting.insert(slot).inserted { try dictionaries[slot].fits(shape, modelName: "the model") }
    return slot
  }

  private func lastPart(_ name: String) -> Substring { name.split(separator: "/").last ?? "" }

  /// How unlike two names are: what they do not share at their starts and ends.
  private func difference(_ a: String, _ b: String) -> Int {
    let (a, b) = (Array(a.lowercased()), Array(b.lowercased()))
    let start = zip(a, b).prefix { $0 == $1 }.count
    let limit = min(a.count, b.count) - start
    let end = min(zip(a.reversed(), b.reversed()).prefix { $0 == $1 }.count, limit)
    return max(a.count, b.count) - start - end
  }
}
