/// Where text may be cut so that encoding the parts gives the tokens of the whole.
///
/// Before the first space of a run a merge can only cross if its product has a U+2581 after another character. Almost
/// no piece has (in Gemma 3 just `>▁</`), so those are collected here, and a cut is refused where one of them lies
/// in the text across it.
struct ChunkRule: Sendable {
  private struct Context: Sendable {
    let before: [UInt8]
    let after: [UInt8]
  }

  /// Beyond this many the checks would cost more than cutting saves.
  private static let maximumContexts = 64
  private var contexts: [Context] = []
  /// Whether some context's part before the cut ends in this byte.
  private var lastBytes = [Bool](repeating: false, count: 256)
  /// False when the vocabulary has too many pieces that cross.
  private(set) var cuts = true

  init(_ pieces: PieceTable) {
    for id in 0..<Int32(pieces.count) where contexts.count <= Self.maximumContexts {
      pieces.withBytes(id) { bytes in
        guard bytes.count > 3 else { return }
        for i in 1..<bytes.count - 2 where UTF8Scan.isMark(bytes, at: i) && !UTF8Scan.isMark(bytes, at: i - 3) {
          contexts.append(Context(before: Array(bytes[..<i]), after: Array(bytes[i...])))
          lastBytes[Int(bytes[i - 1])] = true
        }
      }
    }
    cuts = contexts.count <= Self.maximumContexts
    if !cuts { contexts = [] }
  }

  /// Whether `text` may be cut before the space at `index`, which has something else before it.
  @inline(__always)
  func cuts(_ text: UnsafeBufferPointer<UInt8>, at index: Int) -> Bool {
    guard cuts else { return false }
    let last = text[index - 1]
    if last == 0x20 { return false }
    // A literal U+2581 before the space is part of its run.
    if last == UTF8Scan.mark.2, UTF8Scan.isMark(text, at: index - 3) { return false }
    guard lastBytes[Int(last)] else { return true }
    return !contexts.contains { Self.follows($0.after, text, index) && Self.precedes($0.before, text, index) }
  }

  /// Whether `piece` lies in the text from `index` on, U+2581 standing for itself or a space.
  private static func follows(_ piece: [UInt8], _ text: UnsafeBufferPointer<UInt8>, _ index: Int) -> Bool {
    piece.withUnsafeBufferPointer { piece in
      var p = 0
      var t = index
      while p < piece.count {
        guard t < text.count else { return false }
        if text[t] == 0x20, UTF8Scan.isMark(piece, at: p) {
          p += 3
        } else if text[t] == piece[p] {
          p += 1
        } else {
          return false
        }
        t += 1
      }
      return true
    }
  }

  private static func precedes(_ piece: [UInt8], _ text: UnsafeBufferPointer<UInt8>, _ index: Int) -> Bool {
    piece.withUnsafeBufferPointer { piece in
      var p = piece.count
      var t = index
      while p > 0 {
        guard t > 0 else { return false }
        t -= 1
        if text[t] == 0x20, UTF8Scan.isMark(piece, at: p - 3) {
          p -= 3
        } else if text[t] == piece[p - 1] {
          p -= 1
        } else {
          return false
        }
      }
      return true
    }
  }
}
