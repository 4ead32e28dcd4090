extension GemmaTokenizer {
  /// The tokens of `text`.
  ///
  /// - Parameters:
  ///   - addBOS: Whether one `<bos>` comes first: however many of them the text itself begins with, parsed, they become
  ///     one. (Hugging Face's tokenizer puts another before them.) Without it the text's own stay as they are.
  ///   - specials: What becomes of special tokens spelled in the text.
  /// - Complexity: O(n log n) in the length of `text`, O(n) where it has spaces or repeats itself.
  public func encode(_ text: String, addBOS: Bool = true, specials: Specials = .parse) -> [Int32] {
    var text = text
    return text.withUTF8 { encodeValid($0, addBOS: addBOS, specials: specials).ids }
  }

  /// The tokens of UTF-8 bytes. Where they are not valid UTF-8, each maximal part that is not is read as U+FFFD, as
  /// `String(decoding:as:)` and web browsers do.
  public func encode(utf8 bytes: some Collection<UInt8>, addBOS: Bool = true, specials: Specials = .parse) -> [Int32] {
    encode(String(decoding: bytes, as: UTF8.self), addBOS: addBOS, specials: specials)
  }

  /// The tokens of valid UTF-8, and with `addBOS` how many `<bos>` at the text's start the first of them stands for: 0
  /// where the text has none.
  func encodeValid(
    _ text: UnsafeBufferPointer<UInt8>, addBOS: Bool, specials: Specials
  ) -> (ids: [Int32], spelledBOS: Int) {
    var ids: [Int32] = []
    ids.reserveCapacity(text.count / 4 + 8)
    if addBOS { ids.append(bos) }
    withWorkspace { append(text, specials: specials, to: &ids, using: &$0) }
    guard addBOS else { return (ids, 0) }
    let spelled = ids.dropFirst().prefix { $0 == bos }.count
    ids.removeSubrange(1..<1 + spelled)
    return (ids, spelled)
  }

  /// Appends the tokens of `text`, without `<bos>`.
  func append(
    _ text: UnsafeBufferPointer<UInt8>, specials: Specials, to ids: inout [Int32], using workspace: inout Workspace
  ) {
    var chunkStart = 0
    var index = 0
    while index < text.count {
      let byteClass = byteClasses[Int(text[index])]
      if byteClass.rawValue == 0 {
        index += 1
        continue
      }
      if byteClass.contains(.space), index > chunkStart, chunks.cuts(text, at: index) {
        appendChunk(text, chunkStart, index, to: &ids, using: &workspace)
        chunkStart = index
      }
      if byteClass.contains(.addedToken),
        let match = added.match(
          text, at: index, allowed: { specials == .parse || model.kinds[Int($0)] != .special })
      {
        appendChunk(text, chunkStart, index, to: &ids, using: &workspace)
        ids.append(match.id)
        index += match.length
        chunkStart = index
        continue
      }
      index += 1
    }
    appendChunk(text, chunkStart, text.count, to: &ids, using: &workspace)
  }

  /// Positions in a chunk are 32 bits, so a gigabyte without a space is cut, and the tokens at the cut may differ.
  private static let maximumChunk = 1 << 30

  @inline(__always)
  private func appendChunk(
    _ text: UnsafeBufferPointer<UInt8>, _ start: Int, _ end: Int, to ids: inout [Int32],
    using workspace: inout Workspace
  ) {
    guard start < end else { return }
    guard end - start <= ChunkCache.maximumLength else {
      appendLong(text, start, end, to: &ids, using: &workspace)
      return
    }
    let key = workspace.cache.key(text, start, end)
    if workspace.cache.append(key, to: &ids) { return }
    appendNew(key, UnsafeBufferPointer(rebasing: text[start..<end]), to: &ids, using: &workspace)
  }

  @inline(never)
  private func appendNew(
    _ key: ChunkCache.Key, _ chunk: UnsafeBufferPointer<UInt8>, to ids: inout [Int32],
    using workspace: inout Workspace
  ) {
    let first = ids.count
    model.seed(chunk, into: &workspace.merger.ids)
    workspace.merger.run(model, into: &ids)
    if ids.count - first <= ChunkCache.maximumTokens { workspace.cache.insert(key, ids[first...]) }
  }

  @inline(never)
  private func appendLong(
    _ text: UnsafeBufferPointer<UInt8>, _ start: Int, _ end: Int, to ids: inout [Int32],
    using workspace: inout Workspace
  ) {
    var start = start
    while start < end {
      var stop = min(end, start + Self.maximumChunk)
      while stop < end, text[stop] & 0xC0 == 0x80 { stop -= 1 }
      model.seed(UnsafeBufferPointer(rebasing: text[start..<stop]), into: &workspace.merger.ids)
      workspace.merger.run(model, into: &ids)
      start = stop
    }
  }
}
