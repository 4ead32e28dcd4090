import Checkpoints
import Tensors

/// A saved state with the numbers of one tensor changed.
struct ChangedState: TensorSource {
  private let base: any TensorSource
  private let name: String
  private let changed: Tensor

  init(base: any TensorSource, name: String, _ change: (Int, Float) -> Float) throws {
    self.base = base
    self.name = name
    let tensor = try base.tensor(name)
    changed = try Tensor(tensor.read().enumerated().map { change($0.offset, $0.element) }, shape: tensor.shape)
  }

  var names: [String] { base.names }
  func contains(_ name: String) -> Bool { base.contains(name) }
  func path(of name: String) throws -> String { try base.path(of: name) }
  func info(_ name: String) throws -> TensorInfo { try base.info(name) }
  func tensor(_ name: String) throws -> Tensor { name == self.name ? changed : try base.tensor(name) }
}
