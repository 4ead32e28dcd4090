public import Dictionaries
public import Sites
public import Tensors

/// Interventions made ready for one model: everything checked, directions and encoder columns read from their files.
///
/// A plan does not change and may be shared. What a pass keeps between sites lives in an `InterventionVisitor`.
///
/// ```swift
/// let plan = try InterventionPlan(list, dictionaries: [sae], model: model, specialTokens: [2])
/// let steered = try model.forward([tokens], visitor: plan.visitor())
/// let answer = try model.generate(tokens, interventions: plan)
/// ```
///
/// Order. Sites follow the model. At one site interventions apply in list order, each to what the ones before it left.
///
/// - A feature of a sparse autoencoder is encoded anew from `x` for each intervention that asks for its activation, up
///   to a `splice` of the same dictionary. From there on its code is held: later interventions of the list on features
///   of that dictionary change the held code one after another, and `x` by what that changes in the reconstruction.
/// - Other kinds have their code taken once a pass. Transcoders and cross-layer transcoders take it from the `mlp_in`
///   the MLP gets, after all interventions there; a crosscoder takes it at the first intervention of the list on
///   features it reads at that site, before changing it. At every site written the list then changes this code from the
///   start, and a `splice` decodes it as changed so far.
/// - `add` needs no activation, so a list of nothing else encodes nothing. Activations of single features cost one dot
///   product a row; only a `splice` without error encodes the whole width.
public struct InterventionPlan: Sendable {
  /// What is done at each site, in order.
  let actions: [Site: [PlannedAction]]
  /// Rows of each intervention of the list.
  let positions: [Intervention.Positions]
  let specialTokens: Set<Int32>
  let shape: ModelShape
  let backend: any Backend

  /// Sites at which something is read or changed, in the order of the model.
  public let sites: [Site]

  /// Checks `list` and reads what it needs.
  /// - Parameters:
  ///   - dictionaries: the ones that may be named, on the same backend.
  ///   - specialTokens: ids of tokens that `all`, `prompt` and `generated` leave alone.
  /// - Throws: `GemmaError.intervention` for the first entry that cannot be carried out.
  public init(
    _ list: InterventionList, dictionaries: [SparseDictionary] = [], shape: ModelShape, specialTokens: Set<Int32>,
    backend: any Backend
  ) throws {
    var builder = InterventionPlanBuilder(dictionaries: dictionaries, shape: shape, backend: backend)
    actions = try builder.build(list.interventions)
    sites = actions.keys.sorted()
    positions = list.interventions.map(\.positions)
    self.specialTokens = specialTokens
    self.shape = shape
    self.backend = backend
  }

  /// A plan for `model`.
  /// - Throws: `GemmaError.intervention` for the first entry that cannot be carried out.
  public init(
    _ list: InterventionList, dictionaries: [SparseDictionary] = [], model: GemmaModel, specialTokens: Set<Int32>
  ) throws {
    try self.init(
      list, dictionaries: dictionaries, shape: model.shape, specialTokens: specialTokens, backend: model.backend)
  }

  /// Something to hand to `GemmaModel.forward`.
  /// - Parameters:
  ///   - promptLengths: tokens of each sequence that are prompt; nil when all are.
  ///   - recordsChanges: whether `records` are kept.
  public func visitor(promptLengths: [Int]? = nil, recordsChanges: Bool = false) -> InterventionVisitor {
    InterventionVisitor(self, promptLengths: promptLengths, recordsChanges: recordsChanges)
  }
}

/// Something to do at a site.
enum PlannedAction: Sendable {
  /// Takes a code that interventions here or at later sites ask for.
  case read(PlannedReading)
  /// Adds a multiple of a direction to rows.
  case shift(PlannedShift)
  /// Replaces rows by their reconstruction.
  case splice(PlannedSplice)
}

/// One read of one of the plan's dictionaries.
struct ReadKey: Hashable, Sendable {
  let dictionary: Int
  let read: Int
}

/// A feature of such a read.
struct FeatureKey: Hashable, Sendable {
  let read: ReadKey
  let feature: Int
}

struct PlannedReading: Sendable {
  let key: ReadKey
  let dictionary: SparseDictionary
  /// The features that are asked for; nil when the whole code is.
  let probe: FeatureProbe?
  /// Whether the input is kept too, for an affine skip.
  let keepsInput: Bool
  /// The interventions whose rows are read.
  let indices: [Int]
}

struct PlannedShift: Sendable {
  /// What the intervention's value stands for.
  enum Amount: Sendable {
    /// The kind takes none.
    case none
    /// In units of the direction; for `scale`, the factor.
    case fixed(Float)
    /// Times ‖x‖ of the row, for a direction taken as of length one.
    case shareOfNorm(Float)
  }

  /// How the present activation is found.
  enum Source: Sendable {
    /// Not needed.
    case none
    /// x · v for this unit vector, [1, width].
    case projection(Tensor)
    /// From the code at hand; where none covers a row, by encoding `x` with the probe (sparse autoencoders).
    case feature(FeatureProbe?)
  }

  let index: Int
  let kind: Intervention.Kind
  let amount: Amount
  /// [1, width of the site]
  let direction: Tensor
  /// ‖direction‖
  let length: Float
  let source: Source
  /// The feature that changes with it, where there is one.
  let feature: FeatureKey?
}

struct PlannedSplice: Sendable {
  /// What an earlier intervention may have changed in the code: the feature and its decoder row here, [1, width].
  struct Edit: Sendable {
    let feature: FeatureKey
    let row: Tensor
  }

  let index: Int
  let slot: Int
  let dictionary: SparseDictionary
  let write: Int
  let keepsError: Bool
  /// For a sparse autoencoder that keeps its error: the features asked for later.
  let probe: FeatureProbe?
  let edits: [Edit]
}
