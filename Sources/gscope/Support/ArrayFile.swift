import Checkpoints
import Foundation
import Tensors

/// The file that `--save` names: arrays of one or several texts, written as they are computed, in place only when all
/// of them are complete.
final class ArrayFile {
  private let path: String
  private let writer: SafetensorsWriter
  /// Rows of each tensor written so far, in bytes.
  private var offsets: [String: Int] = [:]

  /// - Parameters:
  ///   - texts: their tokens are saved as `tokens`; of several texts also `doc_offsets`, where each begins and the last
  ///     ends.
  ///   - entries: what else will come.
  init(_ path: String, texts: [TokenizedText], isMany: Bool, entries: [SafetensorsWriter.Entry]) throws {
    self.path = path
    let total = texts.reduce(0) { $0 + $1.count }
    var layout = entries + [.init("tokens", shape: [total], dtype: .i32)]
    if isMany { layout.append(.init("doc_offsets", shape: [texts.count + 1], dtype: .i64)) }
    writer = try SafetensorsWriter(URL(filePath: path), layout: layout)
    try append(texts.flatMap(\.ids), to: "tokens")
    if isMany { try append(Self.offsets(texts.map(\.count)), to: "doc_offsets") }
  }

  /// Running sums from 0.
  static func offsets(_ lengths: [Int]) -> [Int64] {
    lengths.reduce(into: [0]) { $0.append(($0.last ?? 0) + Int64($1)) }
  }

  func append(_ tensor: Tensor, to name: String) throws {
    guard let bytes = tensor.hostBytes else { return try append(try tensor.bytes(), to: name) }
    try withExtendedLifetime(tensor) { try append(bytes, to: name) }
  }

  func append<Element: BitwiseCopyable>(_ values: [Element], to name: String) throws {
    try values.withUnsafeBytes { try append($0, to: name) }
  }

  private func append(_ bytes: UnsafeRawBufferPointer, to name: String) throws {
    try writer.write(bytes, to: name, at: offsets[name, default: 0])
    offsets[name, default: 0] += bytes.count
  }

  /// Puts the file in place.
  func finish() throws { try writer.finish() }
}
