/// The published grid in numbers, and the tokens that its announced 110 PB would imply.
public struct PublishedPlan: Sendable {
  /// One model of either variant.
  public struct Row: Sendable {
    public let model: PlannedModel
    public let dictionaries: Int
    public let storedParameters: Int
    public let trainedParameters: Int
    /// fp32 bytes of one token's activations at every site of every layer: resid_post, attn_out, mlp_in, mlp_out.
    public let activationBytes: Double
    /// One variant.
    public let plan: TrainingPlan
  }

  public let rows: [Row]

  /// - Parameter tokens: for every dictionary; nil takes Gemma Scope 1's rule by width.
  public init(
    _ models: [PlannedModel], machine: PlannedMachine, settings: TrainingPlan.Settings = .init(), tokens: Double? = nil
  ) {
    rows = models.map { model in
      let dictionaries = PublishedGrid.dictionaries(model)
      let plan = TrainingPlan(
        model: model, machine: machine, settings: settings,
        dictionaries: dictionaries.map { ($0, tokens ?? PublishedGrid.tokens(width: $0.totalWidth)) })
      return Row(
        model: model, dictionaries: dictionaries.count, storedParameters: plan.storedParameters,
        trainedParameters: plan.trainedParameters,
        activationBytes: plan.storedBytesPerToken(bytes: 4, perToken: 0), plan: plan)
    }
  }

  private var variants: Int { PublishedGrid.variants }

  /// Over both variants of all models.
  public var dictionaries: Int { variants * rows.reduce(0) { $0 + $1.dictionaries } }
  public var storedParameters: Int { variants * rows.reduce(0) { $0 + $1.storedParameters } }
  public var trainedParameters: Int { variants * rows.reduce(0) { $0 + $1.trainedParameters } }

  /// Tokens for each model and variant, were 110 PB shared out equally among them by token and every site's activations
  /// stored once at `bytes` a number.
  /// - Parameter variants: 1 when only pretraining activations were stored, 2 when those of chats were as well.
  public func impliedTokens(bytes: Double, variants: Int) -> Double {
    let perToken = rows.reduce(0.0) { $0 + $1.activationBytes } * bytes / 4 * Double(variants)
    return perToken > 0 ? PublishedGrid.announcedBytes / perToken : 0
  }
}
