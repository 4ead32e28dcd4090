import Checkpoints
import Foundation
import Tensors

/// The files of one dictionary, put in place together.
///
/// A folder that is new or empty appears as a whole. In a folder with other files every file is written under a
/// temporary name first; then the weight files come, the last layer's first, and `config.json` at the end, so that what
/// a crash in between leaves lacks layer 0 or has no configuration. After an error nothing is left.
struct DictionaryFiles {
  /// A tensor by name.
  struct Named {
    let name: String
    let tensor: Tensor

    init(_ name: String, _ tensor: Tensor) {
      self.name = name
      self.tensor = tensor
    }
  }

  /// Small files by name, in the order in which they come, the one that makes the folder a dictionary last.
  var texts: [(name: String, bytes: [UInt8])]
  /// Weight files by name; called for one after another.
  var weights: [(name: String, tensors: () throws -> [Named])]

  /// - Parameter replacing: whether files of these names may be in the folder already; what a killed process left of
  ///   some is then removed.
  /// - Throws: `CheckpointError.unwritable`; what `weights` throws.
  func write(to folder: URL, replacing: Bool) throws {
    if AtomicFolder.isFree(folder) {
      let whole = try AtomicFolder(folder)
      try place(in: whole.temporary)
      return try whole.commit()
    }
    let names = weights.map(\.name) + texts.map(\.name)
    for name in names where FileManager.default.fileExists(atPath: folder.appending(path: name).path) {
      guard replacing else {
        throw CheckpointError.unwritable(file: folder.appending(path: name).path, reason: "it exists already")
      }
    }
    if replacing { AtomicFile.removeLeftovers(in: folder) }
    try place(in: folder)
  }

  private func place(in folder: URL) throws {
    let writers = try weights.map { file in
      let tensors = try file.tensors()
      let writer = try SafetensorsWriter(
        folder.appending(path: file.name),
        layout: tensors.map { .init($0.name, shape: $0.tensor.shape, dtype: $0.tensor.dtype) })
      for named in tensors { try writer.write(named.tensor, to: named.name) }
      return writer
    }
    var placed: [URL] = []
    do {
      if let last = texts.last {
        // Weights of one dictionary must not stand beside the configuration of another.
        try? FileManager.default.removeItem(at: folder.appending(path: last.name))
      }
      for (file, writer) in zip(weights, writers).reversed() {
        try writer.finish()
        placed.append(folder.appending(path: file.name))
      }
      for (name, bytes) in texts {
        let file = folder.appending(path: name)
        try AtomicFile.write(bytes, to: file)
        placed.append(file)
      }
    } catch {
      for file in placed { try? FileManager.default.removeItem(at: file) }
      throw error
    }
  }
}
