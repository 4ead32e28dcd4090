public import Sites
public import Tensors

/// Which rows of a forward pass get next-token logits.
public enum LogitRows: Sendable, Equatable {
  case none
  /// The last token of every sequence.
  case last
  /// Every token. The result holds `tokens × vocabulary` numbers: for long texts take `.residual` and `unembed`
  /// pieces.
  case all
  /// The final residual stream (before the last norm) of every token, and no logits.
  case residual
}

/// Called between layers; throws to stop the pass (for example on Ctrl-C).
public typealias CancellationCheck = () throws -> Void

/// Something that looks at, and may change, the activations at a site while the model runs.
public protocol SiteVisitor {
  /// Whether `visit` wants to be called for `site`. Sites nobody visits are not formed where that saves work.
  func visits(_ site: Site) -> Bool
  /// The activations the model goes on with. `x` is [rows, width of the site].
  func visit(_ site: Site, _ x: Tensor, rows: RowLayout) throws -> Tensor
}

/// Where each row of a pass belongs: rows of all sequences stand one after another, without padding.
public struct RowLayout: Sendable {
  /// The rows of each sequence.
  public let segments: [Range<Int>]
  /// The token of each row.
  public let tokens: [Int32]
  /// The absolute position of each row in its sequence.
  public let positions: [Int]
}

/// What a forward pass returns.
public struct ForwardResult: Sendable {
  /// The activations at every captured site, after interventions: [rows, width of the site].
  public let activations: [Site: Tensor]
  /// Where each row belongs.
  public let rows: RowLayout
  /// [sequences, vocabulary] for `.last`, [rows, vocabulary] for `.all`, else nil.
  public let logits: Tensor?
  /// The final residual stream for `.residual`: [rows, width].
  public let residual: Tensor?
}
