import Checkpoints
import Foundation
import Tensors

/// One mapped weight file, whose pages can be fetched ahead and given back.
struct LayerFile: Sendable {
  /// Nil for an archive or a packed file, which are unpacked into memory of their own.
  private let mapping: MappedFile?
  let source: any TensorSource

  /// - Throws: `CheckpointError`.
  init(_ url: URL, format: DictionaryLayout.Format) throws {
    switch format {
    case .gemmaScope1:
      mapping = nil
      source = try NPZFile(url)
    case .gemmaScope2, .compact:
      let file: MappedFile
      do {
        file = try MappedFile(url)
      } catch TensorError.file(let path, let reason) {
        throw CheckpointError.unreadable(file: path, reason: reason)
      }
      let storage = HostStorage(mapping: file)
      if url.pathExtension == "gz" {
        mapping = nil
        source = try SafetensorsFile(storage: GzipReader.unpack(storage, path: url.path), path: url.path)
      } else {
        mapping = file
        source = try SafetensorsFile(storage: storage, path: url.path)
      }
    }
  }

  /// Where `tensor` lies in the mapped file; nil when it is a copy or on a device.
  private func range(of tensor: Tensor) -> (MappedFile, Range<Int>)? {
    guard let mapping, let start = mapping.bytes.baseAddress, let bytes = tensor.hostBytes,
      let first = bytes.baseAddress, first >= start, first + bytes.count <= start + mapping.bytes.count
    else { return nil }
    let offset = first - start
    return (mapping, offset..<offset + bytes.count)
  }

  /// Asks for a tensor that is about to be read whole.
  func prefetch(_ tensor: Tensor) {
    if let (mapping, range) = range(of: tensor) { mapping.prefetch(range) }
  }

  /// Gives back the pages of a tensor; they are read again when touched.
  func release(_ tensor: Tensor) {
    if let (mapping, range) = range(of: tensor) { mapping.release(range) }
  }
}
