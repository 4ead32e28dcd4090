import Checkpoints
import Foundation
import Tensors

/// One weight file of another tool, read with every shape checked first.
struct ForeignTensors {
  let file: SafetensorsFile

  init(_ url: URL) throws { file = try SafetensorsFile(url) }

  /// A tensor in fp32.
  /// - Parameter shape: lengths of its axes; nil for one that it decides itself.
  /// - Throws: `ConversionError.unreadable`, `CheckpointError`.
  func read(_ name: String, _ shape: [Int?]) throws -> (values: [Float], shape: [Int]) {
    guard file.contains(name) else {
      throw ConversionError.unreadable(path: file.path, reason: "tensor '\(name)' is missing")
    }
    let info = try file.info(name)
    let fits = info.shape.count == shape.count && zip(info.shape, shape).allSatisfy { $0 > 0 && ($1 ?? $0) == $0 }
    guard fits else {
      let expected = shape.map { $0.map(String.init) ?? "…" }.joined(separator: ", ")
      throw ConversionError.unreadable(
        path: file.path, reason: "tensor '\(name)' has shape \(info.shape); expected [\(expected)]")
    }
    guard let dtype = info.dtype, [.f32, .bf16, .f16, .f64].contains(dtype) else {
      throw ConversionError.unreadable(
        path: file.path, reason: "tensor '\(name)' is \(info.typeName); expected F32, BF16 or F16")
    }
    return (try file.tensor(name).read(), info.shape)
  }

  func values(_ name: String, _ shape: [Int?]) throws -> [Float] { try read(name, shape).values }

  /// The tensor where there is one.
  func optional(_ name: String, _ shape: [Int?]) throws -> [Float]? {
    file.contains(name) ? try values(name, shape) : nil
  }

  /// - Throws: `ConversionError.unreadable` when there are tensors that are not understood.
  func expectOnly(_ names: [String]) throws {
    if let other = file.names.first(where: { !names.contains($0) }) {
      throw ConversionError.unreadable(
        path: file.path,
        reason: "tensor '\(other.prefix(200))' is not understood; known are \(names.joined(separator: ", "))")
    }
  }
}
