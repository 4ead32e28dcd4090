import Tokenization

/// Feeds bytes to the readers of `tokenizer.json`, of a GGUF's vocabulary and of a conversation, and what loads to the
/// encoder and decoder. The first byte chooses.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzTokenizer(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = UnsafeBufferPointer(start: data, count: count)
  guard let first = input.first else { return 0 }
  let rest = UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: input.dropFirst()))
  switch first % 3 {
  case 0: expectErrors { exercise(try GemmaTokenizer(json: rest, file: "fuzz"), rest) }
  case 1: expectErrors { exercise(try vocabulary(rest), rest) }
  default: expectErrors { _ = try ChatConversation(json: rest).messages.isEmpty }
  }
  return 0
}

/// The one acceptable complaint is a `TokenizerError`.
private func expectErrors(_ body: () throws -> Void) {
  do {
    try body()
  } catch is TokenizerError {
  } catch {
    fatalError("unexpected \(type(of: error)): \(error)")
  }
}

/// A GGUF's vocabulary of the pieces that every Gemma has and, for lines of the input, more of them, each line's first
/// byte its type.
private func vocabulary(_ bytes: UnsafeRawBufferPointer) throws -> GemmaTokenizer {
  var pieces = ["<pad>", "<eos>", "<bos>", "<unk>", "\u{2581}"].map { Array($0.utf8) }
  var types = [3, 3, 3, 3, 1]
  for value in 0..<256 {
    let hex = String(value, radix: 16, uppercase: true)
    pieces.append(Array("<0x\(hex.count == 1 ? "0" : "")\(hex)>".utf8))
    types.append(6)
  }
  for line in bytes.split(separator: 0x0A) {
    pieces.append(Array(line.dropFirst()))
    types.append(line.first.map { Int($0 & 7) } ?? 1)
  }
  return try GemmaTokenizer(pieces: pieces, types: types, file: "fuzz")
}

private func exercise(_ tokenizer: GemmaTokenizer, _ bytes: UnsafeRawBufferPointer) {
  let text = String(decoding: bytes, as: UTF8.self)
  for specials in [GemmaTokenizer.Specials.parse, .asText] {
    let encoding = tokenizer.encodeWithRanges(text, specials: specials)
    var end = 0
    for range in encoding.ranges {
      precondition(range.lowerBound == end, "ranges leave a gap")
      end = range.upperBound
    }
    precondition(end == text.utf8.count, "ranges do not cover the text")
    guard let decoded = try? tokenizer.decodeBytes(encoding.ids.dropFirst()) else {
      preconditionFailure("cannot decode")
    }
    _ = decoded.count
  }
}
