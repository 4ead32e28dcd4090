import Checkpoints
import Tensors

/// Opens any bytes as a GGUF file and reads all they claim to hold; the one acceptable complaint is a `CheckpointError`.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  do {
    let storage = try HostStorage.copying(UnsafeBufferPointer(start: data, count: count))
    let file = try GGUFFile(storage: storage, path: "input")
    for key in file.keys { file.value(key).map(walk) }
    for name in file.names {
      guard try file.info(name).dtype != nil else { continue }
      let tensor = try file.tensor(name)
      guard try tensor.bytes().count == file.info(name).byteCount else { fatalError("wrong size of \(name)") }
      _ = (tensor.count, tensor.rows, tensor.rowLength)
    }
  } catch is CheckpointError {
  } catch {
    fatalError("\(error)")
  }
  return 0
}

/// Reads every element of a value, arrays within arrays too.
private func walk(_ value: GGUFValue) {
  guard case .array(let array) = value else { return }
  walk(array)
}

private func walk(_ array: GGUFArray) {
  _ = (array.integers(), array.floats(), array.bools(), array.strings())
  if array.elementType == .string { array.forEachUTF8 { index, bytes in _ = array.bytes(at: index) == Array(bytes) } }
  guard let inner = array.arrays() else {
    guard array.elementType != .array else { fatalError("an inner array no longer parses") }
    return
  }
  for array in inner { walk(array) }
}
