import Gemma
import Sites
import Tensors

/// Runs the model over one text, so many tokens a pass that intermediate results stay small however long the text is.
/// What grows with it are the keys and values, and what the caller keeps.
struct TextPass {
  /// Tokens in one pass: enough for the matrix products to be at their full rate.
  static let rowsPerPass = 1024

  let ids: [Int32]
  let opened: OpenedModel
  let progress: Progress
  /// How much of the progress of a token its way through the model is.
  var share = 1.0

  /// Calls `body` with the result of every pass and the positions it covers, in order. A text of one pass runs without
  /// keys and values; of a longer one only the layers that are asked for keep theirs.
  /// - Throws: as `GemmaModel.forward`, and what `body` throws.
  func run(
    capture: Set<Site> = [], logits: LogitRows = .none, visitor: (any SiteVisitor)? = nil,
    body: (ForwardResult, Range<Int>) throws -> Void
  ) throws {
    let model = opened.model
    let last = model.shape.sites.last { capture.contains($0) || visitor?.visits($0) == true } ?? .embed
    let layers = logits != .none ? opened.configuration.layers : last == .embed ? 0 : last.layer + 1
    // A single embedding needs nothing that came before it.
    let session = ids.count > Self.rowsPerPass && layers > 0 ? try model.makeSession(layers: layers) : nil
    for start in stride(from: 0, to: ids.count, by: Self.rowsPerPass) {
      let range = start..<min(start + Self.rowsPerPass, ids.count)
      let result = try model.forward(
        [Array(ids[range])], capture: capture, logits: logits, visitor: visitor, sessions: session.map { [$0] }
      ) {
        try progress.advance(by: share * Double(range.count) / Double(layers + 1))
      }
      try body(result, range)
    }
  }
}

extension ForwardResult {
  /// The activations at each of `sites`.
  /// - Throws: `SiteError` for one that was not captured.
  func activations(at sites: [Site], of opened: OpenedModel) throws -> [Tensor] {
    try sites.map { site in
      guard let tensor = activations[site] else {
        throw SiteError.layer(site: site, layers: opened.configuration.layers)
      }
      return tensor
    }
  }
}

/// Keeps chosen positions of the residual stream after every layer; of the other rows nothing outlives its layer.
final class RowKeeper: SiteVisitor {
  private let positions: Set<Int>
  private let backend: any Backend
  private var kept: [Site: Tensor] = [:]

  init(positions: [Int], backend: any Backend) {
    self.positions = Set(positions)
    self.backend = backend
  }

  func visits(_ site: Site) -> Bool { site.kind == .residPost }

  func visit(_ site: Site, _ x: Tensor, rows: RowLayout) throws -> Tensor {
    let chosen = rows.positions.indices.filter { positions.contains(rows.positions[$0]) }
    if !chosen.isEmpty { kept[site] = try backend.select(x, rows: chosen) }
    return x
  }

  /// What was kept since the last call, by layer; empty when no chosen position was passed.
  func take() -> [Tensor] {
    defer { kept = [:] }
    return kept.keys.sorted().compactMap { kept[$0] }
  }
}
