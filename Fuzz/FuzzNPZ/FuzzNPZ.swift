import Checkpoints
import Tensors

/// Opens any bytes as a NumPy archive and reads all they claim to hold; the one acceptable complaint is a
/// `CheckpointError`.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = UnsafeRawBufferPointer(start: data, count: count)
  do {
    let file = try NPZFile(storage: .copying(bytes), path: "input")
    for name in file.names {
      // Unverified, for no change to the elements would get past the checksum; each for itself, for a broken one must
      // not hide the others.
      do {
        let tensor = try file.tensor(name, verifying: false)
        guard try tensor.bytes().count == file.info(name).byteCount else { fatalError("wrong size of \(name)") }
        _ = (tensor.count, tensor.rowLength)
        _ = try file.tensor(name)
      } catch is CheckpointError {}
    }
  } catch is CheckpointError {
    // Little of what is no archive at all would reach the unpacker.
    inflate(bytes)
  } catch {
    fatalError("\(error)")
  }
  return 0
}

/// Unpacks `bytes` into buffers that are too small, about right, and too large.
private func inflate(_ bytes: UnsafeRawBufferPointer) {
  for size in [0, 100, 5000] {
    var output = [UInt8](repeating: 0, count: size)
    output.withUnsafeMutableBytes { try? Inflate.decode(bytes, into: $0, prefixOnly: size == 100) }
  }
}
