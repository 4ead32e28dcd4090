import Tensors

/// The statistics of one dictionary's features over a pass of the model. Feature `read · width + index` is feature
/// `index` of read `read`.
final class DictionaryTally {
  let name: String
  /// Features of one read.
  let width: Int
  let reads: Int
  private(set) var features: [FeatureTally]
  private(set) var coactivation: Coactivation

  init(name: String, width: Int, reads: Int) {
    self.name = name
    self.width = width
    self.reads = reads
    features = [FeatureTally](repeating: FeatureTally(), count: width * reads)
    coactivation = Coactivation(width: width * reads)
  }

  init(name: String, width: Int, reads: Int, features: [FeatureTally], coactivation: Coactivation) {
    self.name = name
    self.width = width
    self.reads = reads
    self.features = features
    self.coactivation = coactivation
  }

  /// Adds a batch.
  /// - Parameter code: one sparse code for each read, of the batch's rows.
  /// - Throws: `AtlasError.notFinite`.
  func add(_ code: [SparseCode], of batch: BatchRows, settings: FeatureTally.Settings) throws {
    for (read, layer) in code.enumerated() {
      let columns = FeatureColumns(layer, width: width, isCounted: batch.isCounted)
      for index in 0..<width where columns.offsets[index] < columns.offsets[index + 1] {
        let entries = columns.offsets[index]..<columns.offsets[index + 1]
        let feature = read * width + index
        if let bad = entries.first(where: { !columns.activations[$0].isFinite }) {
          let row = Int(columns.rows[bad])
          throw AtlasError.notFinite(
            dictionary: name, feature: index, sequence: Int(batch.sequences[row]), position: Int(batch.positions[row]))
        }
        features[feature].add(
          columns.rows[entries], columns.activations[entries], of: batch, feature: feature, settings: settings)
      }
    }
    addPairs(code, of: batch, seed: settings.seed)
  }

  private func addPairs(_ code: [SparseCode], of batch: BatchRows, seed: UInt64) {
    switch coactivation {
    case .triangle(var triangle):
      // Taken out, so that its numbers are changed in place.
      coactivation = .sample(CoactivationSample(capacity: 0))
      for row in 0..<batch.count where batch.isCounted[row] { triangle.add(active(code, row)) }
      coactivation = .triangle(triangle)
    case .sample(var sample):
      coactivation = .sample(CoactivationSample(capacity: 0))
      for row in 0..<batch.count where batch.isCounted[row] {
        sample.add(sequence: batch.sequences[row], position: batch.positions[row], seed: seed) { active(code, row) }
      }
      coactivation = .sample(sample)
    }
  }

  /// The features that are on at a row, of all reads, ascending.
  func active(_ code: [SparseCode], _ row: Int) -> [Int32] {
    if code.count == 1 { return Array(code[0].features[code[0].entries(ofRow: row)]) }
    return code.enumerated().flatMap { read, layer in
      layer.features[layer.entries(ofRow: row)].map { $0 + Int32(read * width) }
    }
  }

  /// Leaves of a sample what belongs to it.
  func prune() { coactivation.prune() }

  /// Gives examples that have none the sources of their activation: `sources` is told a feature and an example.
  func attribute(_ examples: [(feature: Int, example: KeptExample)], _ sources: [KeptExample.Sources]) {
    var byPlace: [Place: KeptExample.Sources] = [:]
    for ((feature, example), found) in zip(examples, sources) { byPlace[Place(feature, example)] = found }
    for feature in Set(examples.map(\.feature)) {
      for i in features[feature].top.list.indices where features[feature].top.list[i].sources == nil {
        features[feature].top.list[i].sources = byPlace[Place(feature, features[feature].top.list[i])]
      }
      for bin in features[feature].binned.bins.indices {
        for i in features[feature].binned.bins[bin].items.indices
        where features[feature].binned.bins[bin].items[i].example.sources == nil {
          features[feature].binned.bins[bin].items[i].example.sources =
            byPlace[Place(feature, features[feature].binned.bins[bin].items[i].example)]
        }
      }
    }
  }

  /// Examples without sources, each once.
  var unattributed: [(feature: Int, example: KeptExample)] {
    var found: [(feature: Int, example: KeptExample)] = []
    for (feature, tally) in features.enumerated() {
      var seen: Set<Place> = []
      for example in tally.top.list + tally.binned.bins.flatMap({ $0.items.map(\.example) })
      where example.sources == nil && seen.insert(Place(feature, example)).inserted {
        found.append((feature, example))
      }
    }
    return found
  }

  private struct Place: Hashable {
    let feature: Int
    let sequence: Int32
    let position: Int32

    init(_ feature: Int, _ example: KeptExample) {
      self.feature = feature
      sequence = example.sequence
      position = example.position
    }
  }
}
