import Checkpoints
import Tensors

/// Opens any bytes as a safetensors file and reads all they claim to hold; the one acceptable complaint is a
/// `CheckpointError`.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  do {
    let storage = try HostStorage.copying(UnsafeBufferPointer(start: data, count: count))
    let file = try SafetensorsFile(storage: storage, path: "input")
    for name in file.names where try file.info(name).dtype != nil {
      let tensor = try file.tensor(name)
      guard try tensor.bytes().count == file.info(name).byteCount else { fatalError("wrong size of \(name)") }
      _ = (tensor.count, tensor.rowLength)
      if !tensor.shape.isEmpty { _ = try tensor.rows(0..<tensor.rows) }
    }
  } catch is CheckpointError {
  } catch {
    fatalError("\(error)")
  }
  return 0
}
