extension Communicator {
  /// Every rank's array, in rank order; lengths may differ.
  /// - Throws: `CollectivesError`.
  public func allGather<Element: BitwiseCopyable>(_ values: [Element]) throws -> [[Element]] {
    guard count > 1 else { return [values] }
    let stride = MemoryLayout<Element>.stride
    let lengths = try gatherOne(values.count)
    let total = lengths.reduce(0, +)
    let all = try [Element](unsafeUninitializedCapacity: total) { buffer, filled in
      try values.withUnsafeBytes { mine in
        try allGather(
          mine, into: UnsafeMutableRawBufferPointer(start: buffer.baseAddress, count: total * stride),
          counts: lengths.map { $0 * stride })
      }
      filled = total
    }
    var start = 0
    return lengths.map { length in
      defer { start += length }
      return Array(all[start..<start + length])
    }
  }

  /// One number from every rank, in rank order.
  /// - Throws: `CollectivesError`.
  public func gatherOne(_ value: Int) throws -> [Int] {
    guard count > 1 else { return [value] }
    var all = [Int](repeating: 0, count: count)
    try withUnsafeBytes(of: value) { mine in
      try all.withUnsafeMutableBytes {
        try allGather(mine, into: $0, counts: Array(repeating: MemoryLayout<Int>.size, count: count))
      }
    }
    return all
  }

  /// The root's array on every rank; what the others pass is not looked at.
  /// - Throws: `CollectivesError`.
  public func broadcast<Element: BitwiseCopyable>(_ values: [Element], from root: Int = 0) throws -> [Element] {
    guard count > 1 else { return values }
    var length = values.count
    try withUnsafeMutableBytes(of: &length) { try broadcast($0, from: root) }
    return try [Element](unsafeUninitializedCapacity: length) { buffer, filled in
      if rank == root { _ = buffer.update(fromContentsOf: values) }
      try broadcast(
        UnsafeMutableRawBufferPointer(start: buffer.baseAddress, count: length * MemoryLayout<Element>.stride),
        from: root)
      filled = length
    }
  }

  /// Whether any rank says so: how ranks that watch for signals or the time agree to stop at the same step.
  /// - Throws: `CollectivesError`.
  public func any(_ flag: Bool) throws -> Bool { try gatherOne(flag ? 1 : 0).contains(1) }

  /// Checks that all ranks were started with the same thing (a recipe, a model's hash, a checkpoint's step).
  /// - Throws: `CollectivesError.mismatch` on every rank, naming the first rank that differs from rank 0.
  public func requireEqual(_ text: String, what: String) throws {
    let texts = try allGather(Array(text.utf8)).map { String(decoding: $0, as: UTF8.self) }
    guard let other = texts.firstIndex(where: { $0 != texts[0] }) else { return }
    throw CollectivesError.mismatch(
      operation: what, rank: other, expected: "'\(texts[0].prefix(200))' as on rank 0",
      found: "'\(texts[other].prefix(200))'")
  }
}
