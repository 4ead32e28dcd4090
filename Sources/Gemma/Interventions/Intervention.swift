public import Foundation
public import Sites

/// One change to the activations of a running model, as a user asks for it.
///
/// What it acts on is a direction: a feature of a dictionary, or a vector. Each has an *activation* in a row `x`:
///
/// - of a feature, `f`: what the dictionary's encoder gives for the row it reads. Changing `f` to `f'` adds
///   `(f' − f) · decoder row` at every site the feature writes;
/// - of a vector `v`, the projection `x · v / ‖v‖`. Changing it moves `x` along `v / ‖v‖`.
///
/// Whether it can be carried out on a given model with given dictionaries is decided by `InterventionPlan`.
public struct Intervention: Sendable, Equatable {
  /// What is done to the activation.
  public enum Kind: String, Sendable, CaseIterable, Codable {
    /// Adds `value` times the direction (a decoder row, or the vector as it is stored).
    case add
    /// The activation becomes `value`.
    case set
    /// The activation is multiplied by `value`.
    case scale
    /// The activation becomes 0.
    case ablate
    /// The part of `x` along the direction is removed: `x − (x · v̂) v̂`, with the decoder row as `v` for a feature.
    case orthogonal
    /// The activation becomes at most `value`.
    case cap
    /// `x` becomes the dictionary's reconstruction.
    case splice
  }

  /// What `value` counts.
  public enum Unit: String, Sendable, CaseIterable, Codable {
    /// Activation, as the dictionary or the vector has it.
    case raw
    /// Shares of the feature's known maximum (`SparseDictionary.maximumActivation`).
    case maxActivation = "max_activation"
    /// Shares of ‖x‖ of the row at the site written; the direction counts as of length one, so that 0.1 of it has a
    /// tenth of the row's length.
    case residualNorm = "residual_norm"
  }

  /// A feature of a dictionary.
  public struct Feature: Sendable, Equatable {
    /// The dictionary's name, or the last part of it where that is unambiguous.
    public var dictionary: String
    /// The model layer that the feature reads. Needed for kinds that read several.
    public var layer: Int?
    /// Its index within that layer.
    public var index: Int

    /// Feature `index` of `dictionary`.
    public init(dictionary: String, layer: Int? = nil, index: Int) {
      self.dictionary = dictionary
      self.layer = layer
      self.index = index
    }
  }

  /// A tensor [width of the site] in a safetensors file.
  public struct Vector: Sendable, Equatable {
    /// The safetensors file.
    public var file: URL
    /// The tensor's name in it.
    public var tensor: String

    /// The tensor `tensor` of `file`.
    public init(file: URL, tensor: String) {
      self.file = file
      self.tensor = tensor
    }
  }

  /// What it acts on.
  public enum Target: Sendable, Equatable {
    /// One feature's activation.
    case feature(Feature)
    /// The projection on a vector.
    case vector(Vector)
    /// A whole dictionary, by name: for `splice`.
    case dictionary(String)
  }

  /// Which rows are changed. Positions count from 0 over prompt and continuation together.
  ///
  /// `all`, `prompt` and `generated` leave special tokens (`<bos>`, padding and what else the plan is told) alone,
  /// because dictionaries are not trained on them; a list or a range means what it says.
  public enum Positions: Sendable, Equatable {
    /// Every position.
    case all
    /// The tokens the model was given.
    case prompt
    /// The tokens it produced itself.
    case generated
    /// These positions, special tokens among them included.
    case list([Int])
    /// The positions of a range, special tokens included.
    case range(Span)
  }

  /// `from` and everything below `to`; without `to`, everything from there on.
  public struct Span: Sendable, Equatable {
    /// The first number.
    public var from: Int
    /// The number after the last; nil for no end.
    public var to: Int?

    /// `from` and everything below `to`.
    public init(from: Int = 0, to: Int? = nil) {
      self.from = from
      self.to = to
    }

    /// Whether `number` lies in it.
    public func contains(_ number: Int) -> Bool { number >= from && to.map { number < $0 } ?? true }
  }

  /// What is done.
  public var kind: Kind
  /// What it is done to.
  public var target: Target
  /// Needed for a vector. For dictionaries optional: narrows the change to this one of the sites written.
  public var site: Site?
  /// For `add`, `set`, `scale` and `cap`.
  public var value: Float?
  /// For `add`, `set` and `cap`.
  public var unit: Unit
  /// For `splice`: what the reconstruction misses is added back, so that nothing changes but what later feature
  /// interventions of the list do inside the code.
  public var keepError: Bool
  /// Which rows are changed.
  public var positions: Positions
  /// For dictionaries that write several layers: only these model layers are written.
  public var layers: Span?

  /// Nothing is checked here: `InterventionPlan` does.
  public init(
    _ kind: Kind, _ target: Target, site: Site? = nil, value: Float? = nil, unit: Unit = .raw, keepError: Bool = false,
    positions: Positions = .all, layers: Span? = nil
  ) {
    self.kind = kind
    self.target = target
    self.site = site
    self.value = value
    self.unit = unit
    self.keepError = keepError
    self.positions = positions
    self.layers = layers
  }
}

extension Intervention.Span: CustomStringConvertible {
  public var description: String { "\(from)..<\(to.map(String.init) ?? "")" }
}
