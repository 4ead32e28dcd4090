import Dictionaries

/// What `DictionaryEvaluation` found.
public struct EvaluationResult: Sendable {
  /// What one dictionary does.
  public struct Part: Sendable {
    public let reconstruction: ReconstructionMetrics
    /// The same without the outliers in length; nil when none were to be left out.
    public let withoutOutliers: ReconstructionMetrics?
    public let density: FeatureDensity
    /// Other tools' figures for each written site, every sequence a batch.
    public let otherTools: [OtherToolsMetrics]
    /// Each written site replaced alone; empty when it was not asked for.
    public let splices: [SpliceFigures]
    /// All written sites replaced at once; nil for a dictionary that writes one.
    public let wholeSplice: SpliceFigures?
  }

  /// Tokens run, and in how many sequences.
  public let tokens, sequences: Int
  /// Tokens run for the losses, and in how many sequences.
  public let lossTokens, lossSequences: Int
  /// The unchanged model's loss, nats a token.
  public let loss: Estimate
  public let parts: [Part]
  /// All dictionaries in place at once; nil when it was not asked for.
  public let set: SpliceFigures?
  /// Sites that several dictionaries of the set write; empty when it was not asked for.
  public let sharedWrites: [SharedWrite]
}
