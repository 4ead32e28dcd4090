import Checkpoints
import Gemma
import Tensors
import Tokenization

/// Opens any bytes as a GGUF file and reads all they claim to hold: metadata, tensors, and a Gemma's configuration and
/// vocabulary. Each may complain only with its own error or a `CheckpointError`.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  do {
    let storage = try HostStorage.copying(UnsafeBufferPointer(start: data, count: count))
    let file = try GGUFFile(storage: storage, path: "input")
    expectErrors(of: GemmaError.self) { _ = try GemmaConfiguration(file) }
    expectErrors(of: TokenizerError.self) { exercise(try GemmaTokenizer(gguf: file)) }
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

private func expectErrors<Own: Error>(of own: Own.Type, _ body: () throws -> Void) {
  do {
    try body()
  } catch {
    guard error is Own || error is CheckpointError else { fatalError("unexpected \(type(of: error)): \(error)") }
  }
}

/// What loads must also work: text comes back as it was.
private func exercise(_ tokenizer: GemmaTokenizer) {
  let text = " a  <bos>\u{2581}é\n"
  let ids = tokenizer.encodeWithRanges(text, specials: .asText).ids
  guard (try? tokenizer.decodeBytes(ids)) != nil else { fatalError("cannot decode its own tokens") }
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
