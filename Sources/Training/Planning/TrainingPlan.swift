public import Sites

/// What training a list of dictionaries on one model costs, before anything is run. Formulas: `docs/scale.md`.
public struct TrainingPlan: Sendable {
  public struct Settings: Equatable, Sendable {
    public var batch: Int
    /// Matryoshka prefixes.
    public var prefixes: Int
    /// Tokens of a sequence in the model's pass.
    public var context: Int

    public init(batch: Int = 4096, prefixes: Int = 5, context: Int = 1024) {
      self.batch = batch
      self.prefixes = prefixes
      self.context = context
    }
  }

  public let model: PlannedModel
  public let machine: PlannedMachine
  public let settings: Settings
  /// Each with the tokens it trains on.
  public let dictionaries: [(dictionary: PlannedDictionary, tokens: Double)]
  /// Sites whose activations are needed, in order of execution.
  public let sites: [Site]

  public init(
    model: PlannedModel, machine: PlannedMachine, settings: Settings = Settings(),
    dictionaries: [(dictionary: PlannedDictionary, tokens: Double)]
  ) {
    self.model = model
    self.machine = machine
    self.settings = settings
    self.dictionaries = dictionaries
    let needed = dictionaries.reduce(into: Set<Site>()) { $0.formUnion($1.dictionary.sites) }
    sites = needed.sorted()
  }

  // MARK: Sizes

  public var storedParameters: Int { dictionaries.reduce(0) { $0 + $1.dictionary.storedParameters } }
  public var trainedParameters: Int { dictionaries.reduce(0) { $0 + $1.dictionary.trainedParameters } }
  public var fileBytes: Int { dictionaries.reduce(0) { $0 + $1.dictionary.fileBytes } }

  /// Tokens of the one pass that all dictionaries are fed from: the most that any needs.
  public var tokens: Double { dictionaries.map(\.tokens).max() ?? 0 }

  /// Bytes that the activations of one token take in a store.
  public func storedBytesPerToken(bytes: Double, perToken: Double) -> Double {
    sites.reduce(0) { $0 + Double(model.width(of: $1.kind)) * bytes + perToken }
  }

  // MARK: Work

  public var modelFlops: Double {
    guard let last = sites.map(\.layer).max() else { return 0 }
    return tokens * model.flops(throughLayer: last, context: settings.context)
  }
  public var encoderFlops: Double { sum { $0.encoderFlops } }
  public var pairFlops: Double { sum { $0.pairFlops } }
  public var denseFlops: Double { sum { $0.denseFlops } }
  public var sparseFlops: Double { encoderFlops + pairFlops }

  private func sum(_ perToken: (PlannedDictionary) -> Double) -> Double {
    dictionaries.reduce(0) { $0 + $1.tokens * perToken($1.dictionary) }
  }

  // MARK: Hours on all ranks

  public struct Hours: Equatable, Sendable {
    /// The model's pass; the corpus is cut among ranks.
    public var model = 0.0
    public var encoder = 0.0
    public var pairs = 0.0
    public var optimiser = 0.0
    /// Sums exchanged between the ranks of a group.
    public var exchange = 0.0
    /// Training and pass with dense products throughout, for comparison.
    public var dense = 0.0

    public var training: Double { encoder + pairs + optimiser + exchange }
    public var total: Double { model + training }
  }

  public var hours: Hours {
    let ranks = Double(machine.ranks)
    let share = machine.productShare
    var hours = Hours()
    hours.model = modelFlops / (share * machine.modelPeak * ranks) / 3600
    hours.encoder = encoderFlops / (share * machine.peak * ranks) / 3600
    hours.pairs = pairFlops * PlanAssumptions.pairBytesPerFlop / (machine.bandwidth * ranks) / 3600
    for (dictionary, tokens) in dictionaries {
      let steps = tokens / Double(settings.batch)
      let moved = dictionary.touchedParameters(batch: settings.batch) * PlanAssumptions.optimiserBytesPerNumber
      hours.optimiser += steps * moved / (machine.bandwidth * ranks) / 3600
      let group = self.group(dictionary) ?? machine.ranks
      let sent = dictionary.exchangedBytes(batch: settings.batch, prefixes: settings.prefixes, ranks: group)
      // While one group exchanges, the others work on other dictionaries.
      hours.exchange += steps * sent / machine.link * Double(group) / ranks / 3600
    }
    hours.dense = hours.model + denseFlops / (share * machine.peak * ranks) / 3600
    return hours
  }

  // MARK: Memory and sharding

  /// Bytes of a rank's memory when `ranks` of them share one dictionary.
  public func memory(_ dictionary: PlannedDictionary, ranks: Int) -> Int {
    dictionary.stateBytes(ranks: ranks)
      + dictionary.stepBytes(batch: settings.batch, prefixes: settings.prefixes, ranks: ranks)
  }

  /// The fewest ranks over which a dictionary's features must be dealt to fit.
  public func ranksNeeded(_ dictionary: PlannedDictionary) -> Int? {
    let room = machine.memory * PlanAssumptions.memoryShare
    var ranks = 1
    while ranks <= dictionary.width {
      if Double(memory(dictionary, ranks: ranks)) <= room { return ranks }
      ranks *= 2
    }
    return nil
  }

  /// The ranks that train one dictionary together: as few as hold it, or more when there are fewer dictionaries than ranks.
  /// Nil when even all ranks cannot hold it.
  public func group(_ dictionary: PlannedDictionary) -> Int? {
    guard let needed = ranksNeeded(dictionary), needed <= machine.ranks else { return nil }
    return min(max(needed, machine.ranks / max(dictionaries.count, 1)), dictionary.width)
  }

  /// The dictionary with the largest training state.
  public var largest: PlannedDictionary? {
    dictionaries.map(\.dictionary).max { $0.stateBytes < $1.stateBytes }
  }

  /// Bytes a rank needs if all dictionaries are trained at once from one pass, every one dealt over all ranks, with the
  /// model's weights in bf16 beside them.
  public var memoryAllAtOnce: Int {
    let states = dictionaries.reduce(0) { $0 + $1.dictionary.stateBytes(ranks: machine.ranks) }
    let step = dictionaries.map {
      $0.dictionary.stepBytes(batch: settings.batch, prefixes: settings.prefixes, ranks: machine.ranks)
    }.max()
    return states + (step ?? 0) + 2 * model.parameterCount
  }
}
