import Checkpoints
import Tensors

/// Unpacks any bytes as a gzip file, in large pieces and in small ones: both must come to the same text, or to a
/// `CheckpointError` behind the same beginning.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = UnsafeBufferPointer(start: data, count: count)
  let whole = unpack(bytes, pieceSize: 1 << 17)
  let pieces = unpack(bytes, pieceSize: 1000)
  guard whole.isComplete == pieces.isComplete else { fatalError("a matter of the size of pieces") }
  guard zip(whole.text, pieces.text).allSatisfy(==) else { fatalError("other bytes in smaller pieces") }
  guard !whole.isComplete || whole.text.count == pieces.text.count else { fatalError("another length") }
  return 0
}

/// What was unpacked (at most a megabyte: a bomb has no end) and whether that is all there is.
private func unpack(_ bytes: UnsafeBufferPointer<UInt8>, pieceSize: Int) -> (text: [UInt8], isComplete: Bool) {
  var text: [UInt8] = []
  do {
    let reader = try GzipReader(storage: .copying(bytes), path: "input", pieceSize: pieceSize)
    while try reader.next({ piece in
      guard !piece.isEmpty else { fatalError("an empty piece") }
      text += piece
    }) {
      if text.count > 1 << 20 { return (text, false) }
    }
    return (text, true)
  } catch is CheckpointError {
    return (text, false)
  } catch {
    fatalError("unexpected \(type(of: error)): \(error)")
  }
}
