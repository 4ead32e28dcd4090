public import Sites

extension DictionaryShape {
  /// A shape made by hand, as training and conversion do.
  /// - Parameters:
  ///   - reads: ascending sites of one kind; one for an sae or transcoder.
  ///   - writes: as many; equal to `reads` for an sae or crosscoder, others for a transcoder or clt.
  ///   - width: features of each read (F).
  ///   - inputWidth: length of one activation at a read.
  ///   - outputWidth: length of one activation at a write.
  /// - Throws: `DictionaryError.input` naming the rule that is broken.
  public init(
    checking kind: DictionaryKind, reads: [Site], writes: [Site], width: Int, inputWidth: Int, outputWidth: Int,
    isAffine: Bool = false
  ) throws {
    func require(_ condition: Bool, _ expected: String, _ found: String) throws {
      guard condition else {
        throw DictionaryError.input(operation: "a \(kind.rawValue)'s shape", expected: expected, found: found)
      }
    }
    for (sites, verb) in [(reads, "read"), (writes, "written")] {
      try require(
        HookPoint(sites) != nil && sites.allSatisfy { $0.layer >= 0 }, "ascending sites of one kind to be \(verb)",
        "\(sites)")
    }
    try require(kind.isMultiLayer || reads.count == 1, "one site read", "\(reads)")
    try require(writes.count == reads.count, "\(reads.count) sites written", "\(writes)")
    let readsWhatItWrites = kind == .sae || kind == .crosscoder
    try require(
      (reads == writes) == readsWhatItWrites,
      readsWhatItWrites ? "the sites that are read, \(reads)" : "other sites than those read", "\(writes)")
    try require(width > 0 && width <= Int32.max, "1 to 2³¹ − 1 features", "\(width)")
    try require(inputWidth > 0 && outputWidth > 0, "positive widths", "\(inputWidth) and \(outputWidth)")
    try require(
      !readsWhatItWrites || inputWidth == outputWidth, "as many numbers written as read, \(inputWidth)",
      "\(outputWidth)")
    self.init(
      kind: kind, reads: reads, writes: writes, width: width, inputWidth: inputWidth, outputWidth: outputWidth,
      isAffine: isAffine)
  }
}
