import Checkpoints
import Tensors

/// Opens any bytes as a GGUF file and reads all they claim to hold; the one acceptable complaint is a `CheckpointError`.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  do {
    let storage = try HostStorage.copying(UnsafeBufferPointer(start: data, count: count))
    let file = try GGUFFile(storage: storage, path: "input")
    for key in file.keys {
      if case .array(let array) = file.value(key) { walk(array) }
    }
    for name in file.names where try file.info(name).dtype != nil {
      let tensor = try file.tensor(name)
      guard try tensor.bytes().count == file.info(name).byteCount else { fatalError("wrong size of \(name)") }
      _ = (tensor.count, tensor.rowLength)
    }
  } catch is CheckpointError {
  } catch {
    fatalError("\(error)")
  }
  return 0
}

/// Reads every element of an array, arrays within arrays too.
private func walk(_ array: GGUFArray) {
  _ = (array.integers(), array.floats(), array.bools(), array.strings())
  switch array.elementType {
  case .string:
    array.forEachUTF8 { index, bytes in
      guard array.bytes(at: index).elementsEqual(bytes) else { fatalError("string \(index) differs") }
    }
  case .array:
    guard let inner = array.arrays() else { fatalError("an inner array no longer parses") }
    for array in inner { walk(array) }
  default: break
  }
}
