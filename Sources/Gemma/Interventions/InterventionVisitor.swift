import Dictionaries
public import Sites
public import Tensors

/// A change that a pass made to one row: of an activation, or of the whole row by a splice.
public struct InterventionRecord: Sendable, Equatable {
  /// Place of the intervention in the list.
  public let index: Int
  /// What was done.
  public let kind: Intervention.Kind
  /// Where `x` was changed.
  public let site: Site
  /// Place of the sequence in the pass, or what `InterventionVisitor.sequences` calls it.
  public let sequence: Int
  /// Position of the token.
  public let position: Int
  /// The activation found; nil for `add`, which does not ask, and for `splice`.
  public let before: Float?
  /// How many times the direction was added; for `splice` the Euclidean length of what was added to the row.
  public let change: Float

  /// The activation left; nil where the one found is.
  public var after: Float? { before.map { $0 + change } }
}

/// Carries a plan out while the model runs. Use one for each run, from one thread at a time.
public final class InterventionVisitor: SiteVisitor {
  /// What it carries out.
  public let plan: InterventionPlan
  /// Tokens of each sequence of the pass that are prompt; nil when all are.
  public var promptLengths: [Int]?
  /// What the sequences of the pass are called in records; nil when by their places.
  public var sequences: [Int]?
  /// What was changed, pass by pass and site by site, when asked for. `orthogonal` on a feature's decoder row records
  /// the projection it removed, `splice` how far each row was moved.
  public var records: [InterventionRecord] = []
  let recordsChanges: Bool

  /// Rows of each intervention in this pass, where they were asked for.
  private var rowsOfIntervention: [Int: [Int]] = [:]
  /// Codes taken in this pass; of several that cover a row, the last counts.
  var readings: [ReadKey: [Reading]] = [:]
  /// By how much interventions at this site have changed the held code of each row of the pass.
  var changes: [FeatureKey: [Float]] = [:]

  init(_ plan: InterventionPlan, promptLengths: [Int]?, recordsChanges: Bool) {
    self.plan = plan
    self.promptLengths = promptLengths
    self.recordsChanges = recordsChanges
  }

  var backend: any Backend { plan.backend }

  /// Whether the plan has something to do at `site`.
  public func visits(_ site: Site) -> Bool { plan.actions[site] != nil }

  /// What the plan makes of the activations `x` at `site`.
  /// - Throws: `GemmaError.input` for rows of another model or number, `GemmaError.intervention`, `DictionaryError`,
  ///   `TensorError`.
  public func visit(_ site: Site, _ x: Tensor, rows: RowLayout) throws -> Tensor {
    guard let actions = plan.actions[site] else { return x }
    guard x.shape == [rows.positions.count, plan.shape.width(of: site)] else {
      throw GemmaError.input("\(site): \(x.shape) do not fit the plan's model or the \(rows.positions.count) rows")
    }
    // Every pass visits all sites of the plan in order, so the first one starts a pass.
    if site == plan.sites.first {
      rowsOfIntervention = [:]
      readings = [:]
    }
    changes = [:]
    var x = x
    for action in actions {
      switch action {
      case .read(let reading): try read(reading, x, rows)
      case .shift(let shift): x = try apply(shift, to: x, at: site, rows)
      case .splice(let splice): x = try apply(splice, to: x, at: site, rows)
      }
    }
    return x
  }

  private func read(_ reading: PlannedReading, _ x: Tensor, _ layout: RowLayout) throws {
    var union: Set<Int> = []
    for index in reading.indices { union.formUnion(try rows(of: index, layout)) }
    guard !union.isEmpty else { return }
    let rows = union.sorted()
    let part = try select(x, rows)
    let taken =
      if let probe = reading.probe {
        Reading(rows: rows, activations: try probe.activations(part, backend: backend), probe: probe)
      } else {
        Reading(
          rows: rows, code: try reading.dictionary.encode(part, read: reading.key.read),
          input: reading.keepsInput ? part : nil)
      }
    readings[reading.key, default: []].append(taken)
  }

  func select(_ x: Tensor, _ rows: [Int]) throws -> Tensor {
    rows.count == x.rows ? x : try backend.select(x, rows: rows)
  }

  func replace(_ x: Tensor, _ rows: [Int], with part: Tensor) throws -> Tensor {
    rows.count == x.rows ? part : try backend.replacing(x, rows: rows, with: part)
  }

  /// A held code's activation, with what this site changed; nil when no code covers the row.
  func held(_ feature: FeatureKey, row: Int) -> Float? {
    guard let taken = readings[feature.read] else { return nil }
    for reading in taken.reversed() {
      if let activation = reading.activation(ofFeature: feature.feature, row: row) {
        return activation + (changes[feature]?[row] ?? 0)
      }
    }
    return nil
  }

  // MARK: Rows

  /// The rows that intervention `index` concerns, ascending.
  func rows(of index: Int, _ layout: RowLayout) throws -> [Int] {
    if let known = rowsOfIntervention[index] { return known }
    if let promptLengths, promptLengths.count != layout.segments.count {
      throw GemmaError.input("\(layout.segments.count) sequences but \(promptLengths.count) prompt lengths")
    }
    var rows: [Int] = []
    for (sequence, segment) in layout.segments.enumerated() {
      let promptLength = promptLengths?[sequence] ?? .max
      rows += segment.filter { concerns(index, layout, row: $0, promptLength: promptLength) }
    }
    rowsOfIntervention[index] = rows
    return rows
  }

  private func concerns(_ index: Int, _ layout: RowLayout, row: Int, promptLength: Int) -> Bool {
    let position = layout.positions[row]
    let isPlain = !plan.specialTokens.contains(layout.tokens[row])
    return switch plan.positions[index] {
    case .all: isPlain
    case .prompt: isPlain && position < promptLength
    case .generated: isPlain && position >= promptLength
    case .list(let list): list.contains(position)
    case .range(let span): span.contains(position)
    }
  }
}
