import Dictionaries
public import Tensors

/// Scalars that bring activations to E‖x‖² = 1 (over the vector): an activation divided by its scale is what training
/// sees. One for each source's input and one for each target.
public struct Normalisation: Hashable, Sendable {
  /// C_in of each source.
  public var inputs: [Float]
  /// C_out of each write.
  public var targets: [Float]

  /// Activations as they are.
  public static func none(_ shape: TrainingShape) -> Normalisation {
    Normalisation(
      inputs: [Float](repeating: 1, count: shape.sources), targets: [Float](repeating: 1, count: shape.writes))
  }

  public init(inputs: [Float], targets: [Float]) {
    self.inputs = inputs
    self.targets = targets
  }

  /// Measures the scales on activations: C = √mean ‖x‖².
  /// - Parameter limit: lengths above so many times their median count as that; see `TrainingObjective.normLimit`.
  /// - Throws: `TrainingError.setting` when all of a site's activations are zero or one is not finite.
  public init(measuring inputs: [Tensor], targets: [Tensor], limit: Float? = nil) throws {
    func scale(_ tensor: Tensor) throws -> Float {
      let lengths = try Lengths(tensor)
      let most = limit.map { $0 * lengths.median } ?? .infinity
      let sum = lengths.values.reduce(0.0) { $0 + Double(min($1, most)) * Double(min($1, most)) }
      let scale = Float((sum / Double(max(tensor.rows, 1))).squareRoot())
      guard scale.isFinite, scale > 0 else {
        throw TrainingError.setting(
          name: "normalisation", expected: "activations of finite length, not all zero", found: "length \(scale)")
      }
      return scale
    }
    self.init(inputs: try inputs.map(scale), targets: try targets.map(scale))
  }

  /// - Throws: `TrainingError.setting`.
  func check(_ shape: TrainingShape) throws {
    guard inputs.count == shape.sources, targets.count == shape.writes,
      (inputs + targets).allSatisfy({ $0 > 0 && $0.isFinite })
    else {
      throw TrainingError.setting(
        name: "normalisation", expected: "\(shape.sources) positive input scales and \(shape.writes) target scales",
        found: "\(inputs) and \(targets)")
    }
    guard shape.kind != .sae || inputs == targets else {
      throw TrainingError.setting(
        name: "normalisation", expected: "one scale for what an SAE reads and writes", found: "\(inputs) and \(targets)"
      )
    }
  }
}
