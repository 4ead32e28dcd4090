import Dictionaries
import Sites
import Tensors

/// Turns a list into actions at sites.
struct InterventionPlanBuilder {
  let dictionaries: [SparseDictionary]
  let shape: ModelShape
  let backend: any Backend
  /// Actions with their order within the site: the index in the list, then reads before changes.
  private var ordered: [Site: [(order: (Int, Int), action: PlannedAction)]] = [:]

  init(dictionaries: [SparseDictionary], shape: ModelShape, backend: any Backend) {
    self.dictionaries = dictionaries
    self.shape = shape
    self.backend = backend
  }

  mutating func build(_ list: [Intervention]) throws -> [Site: [PlannedAction]] {
    var resolver = InterventionResolver(dictionaries: dictionaries, shape: shape)
    let resolved = try list.enumerated().map { index, intervention in
      try naming(index) { try resolver.resolve(intervention, index: index) }
    }
    for item in resolved {
      try naming(item.index) {
        switch item.target {
        case .vector(let values, let site): try addVector(item, values, site)
        case .feature(let feature): try addFeature(item, feature)
        case .splice(let splice): try addSplice(item, splice, all: resolved)
        }
      }
    }
    for slot in dictionaries.indices where dictionaries[slot].shape.kind != .sae {
      try addReadings(of: slot, all: resolved)
    }
    return ordered.mapValues { $0.sorted { $0.order < $1.order }.map(\.action) }
  }

  /// Errors of files and dictionaries, with the intervention they belong to.
  private func naming<Value>(_ index: Int, _ body: () throws -> Value) throws -> Value {
    do {
      return try body()
    } catch let error as GemmaError {
      throw error
    } catch {
      throw GemmaError.intervention(index: index, problem: "\(error)")
    }
  }

  private mutating func add(_ action: PlannedAction, at site: Site, order: (Int, Int)) {
    ordered[site, default: []].append((order, action))
  }

  private func row(_ values: [Float]) throws -> Tensor { try backend.tensor(values, shape: [1, values.count]) }

  // MARK: Directions

  private mutating func addVector(_ item: ResolvedIntervention, _ values: [Float], _ site: Site) throws {
    let length = euclideanLength(values)
    guard length > 0 else { throw item.failure("the vector is zero") }
    // An activation along a vector is a projection on it: such changes move along the unit vector.
    let isProjected = item.kind != .add
    let unit = try row(values.map { $0 / length })
    let shift = PlannedShift(
      index: item.index, kind: item.kind, amount: try amount(item, maximum: nil),
      direction: isProjected ? unit : try row(values), length: isProjected ? 1 : length,
      source: isProjected ? .projection(unit) : .none, feature: nil)
    add(.shift(shift), at: site, order: (item.index, 1))
  }

  private mutating func addFeature(_ item: ResolvedIntervention, _ feature: ResolvedFeature) throws {
    let dictionary = feature.dictionary
    let maximum: Float?
    if item.intervention.unit == .maxActivation {
      maximum = try dictionary.maximumActivation(read: feature.key.read.read, feature: feature.key.feature)
      guard maximum != nil else {
        throw item.failure(
          "'unit' is max_activation, but no file of '\(dictionary.name)' tells the maximum of feature "
            + "\(feature.key.feature); take raw or residual_norm")
      }
    } else {
      maximum = nil
    }
    let amount = try amount(item, maximum: maximum)
    let probe =
      item.needsActivation && dictionary.shape.kind == .sae
      ? try FeatureProbe(dictionary, read: 0, features: [feature.key.feature], backend: backend) : nil
    var written = 0
    for write in feature.writes {
      let values = try decoderRow(feature, write, item)
      let length = euclideanLength(values)
      // A zero row has no direction; written as it is, it changes nothing.
      guard length > 0 else { continue }
      written += 1
      let isProjected = item.kind == .orthogonal
      let direction = try row(isProjected ? values.map { $0 / length } : values)
      let source: PlannedShift.Source =
        isProjected ? .projection(direction) : item.needsActivation ? .feature(probe) : .none
      let shift = PlannedShift(
        index: item.index, kind: item.kind, amount: amount, direction: direction, length: isProjected ? 1 : length,
        source: source, feature: isProjected ? nil : feature.key)
      add(.shift(shift), at: dictionary.shape.writes[write], order: (item.index, 1))
    }
    guard written > 0 else {
      throw item.failure("the decoder row of feature \(feature.key.feature) of '\(dictionary.name)' is zero")
    }
  }

  private func decoderRow(_ feature: ResolvedFeature, _ write: Int, _ item: ResolvedIntervention) throws -> [Float] {
    let key = feature.key
    let values = try feature.dictionary.decoderRow(read: key.read.read, feature: key.feature, write: write)
    guard values.allSatisfy(\.isFinite) else {
      throw item.failure("the decoder row of feature \(key.feature) of '\(feature.dictionary.name)' is not finite")
    }
    return values
  }

  private func amount(_ item: ResolvedIntervention, maximum: Float?) throws -> PlannedShift.Amount {
    guard let value = item.intervention.value else { return .none }
    if item.intervention.unit == .residualNorm { return .shareOfNorm(value) }
    let scaled = value * (maximum ?? 1)
    guard scaled.isFinite else { throw item.failure("'value' times the feature's maximum is beyond the range of fp32") }
    return .fixed(scaled)
  }

  // MARK: Splices and codes

  private mutating func addSplice(_ item: ResolvedIntervention, _ splice: ResolvedSplice, all: [ResolvedIntervention])
    throws
  {
    let dictionary = splice.dictionary
    let isLocal = dictionary.shape.kind == .sae
    let keepsError = item.intervention.keepError
    let features = all.compactMap { other in other.feature.map { (other, $0) } }.filter {
      $1.key.read.dictionary == splice.slot
    }
    // The code of other kinds is held in any case, and the error makes up for the rest.
    if keepsError && !isLocal { return }
    let later = features.filter { $0.0.index > item.index && $0.0.needsActivation }
    if keepsError && later.isEmpty { return }
    let probe =
      keepsError
      ? try FeatureProbe(dictionary, read: 0, features: Set(later.map { $1.key.feature }), backend: backend) : nil
    for write in splice.writes {
      var edits: [FeatureKey: PlannedSplice.Edit] = [:]
      for (other, feature) in features
      where !isLocal && other.index < item.index && other.kind != .orthogonal && feature.writes.contains(write) {
        edits[feature.key] = .init(feature: feature.key, row: try row(try decoderRow(feature, write, other)))
      }
      let planned = PlannedSplice(
        index: item.index, slot: splice.slot, dictionary: dictionary, write: write, keepsError: keepsError,
        probe: probe, edits: edits.values.sorted { $0.feature < $1.feature })
      add(.splice(planned), at: dictionary.shape.writes[write], order: (item.index, 1))
    }
  }

  /// Where the codes of a dictionary that writes elsewhere than it reads are taken.
  private mutating func addReadings(of slot: Int, all: [ResolvedIntervention]) throws {
    let dictionary = dictionaries[slot]
    for (read, site) in dictionary.shape.reads.enumerated() {
      let key = ReadKey(dictionary: slot, read: read)
      let splices = all.filter { item in
        guard let splice = item.splice, splice.slot == slot, !item.intervention.keepError else { return false }
        return splice.writes.contains { $0 >= read }
      }
      let changes = all.filter { $0.feature?.key.read == key && $0.kind != .orthogonal }
      let asked = changes.filter(\.needsActivation)
      guard !splices.isEmpty || !asked.isEmpty else { continue }
      let indices = (splices + changes).map(\.index).sorted()
      try naming(indices[0]) {
        let features = Set(asked.compactMap { $0.feature?.key.feature })
        let reading = PlannedReading(
          key: key, dictionary: dictionary,
          probe: splices.isEmpty ? try FeatureProbe(dictionary, read: read, features: features, backend: backend) : nil,
          keepsInput: dictionary.shape.isAffine && splices.contains { $0.splice?.writes.contains(read) == true },
          indices: indices)
        let isWritten = dictionary.shape.writes.contains(site)
        add(.read(reading), at: site, order: (isWritten ? indices[0] : .max, 0))
      }
    }
  }
}

/// Euclidean length.
func euclideanLength(_ values: some Sequence<Float>) -> Float {
  Float(values.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot())
}

extension FeatureKey: Comparable {
  static func < (a: FeatureKey, b: FeatureKey) -> Bool {
    (a.read.dictionary, a.read.read, a.feature) < (b.read.dictionary, b.read.read, b.feature)
  }
}
