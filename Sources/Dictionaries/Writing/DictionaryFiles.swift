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
  /// Whether the weight files are gzip'ed safetensors.
  var isPacked = false

  /// - Parameter replacing: whether files of these names may be in the folder already.
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
    try place(in: folder)
  }

  private func place(in folder: URL) throws {
    let finish = try weights.map { file in
      try prepare(file.tensors(), folder.appending(path: file.name))
    }
    var placed: [URL] = []
    do {
      if let last = texts.last {
        // Weights of one dictionary must not stand beside the configuration of another.
        try? FileManager.default.removeItem(at: folder.appending(path: last.name))
      }
      for (file, finish) in zip(weights, finish).reversed() {
        try finish()
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
  /// Writes a weight file under a temporary name.
  /// - Returns: what puts it in place.
  private func prepare(_ tensors: [Named], _ url: URL) throws -> () throws -> Void {
    if isPacked {
      let bytes = try SafetensorsWriter.bytes(of: tensors.map { ($0.name, $0.tensor) }, file: url.path)
      let packed = try bytes.withUnsafeBytes { try GzipWriter.pack($0, file: url.path) }
      let file = try AtomicFile(url, byteCount: packed.count)
      try packed.withUnsafeBytes { try file.write($0, at: 0) }
      return file.commit
    }
    let writer = try SafetensorsWriter(
      url, layout: tensors.map { .init($0.name, shape: $0.tensor.shape, dtype: $0.tensor.dtype) })
    for named in tensors { try writer.write(named.tensor, to: named.name) }
    return writer.finish
  }
}
