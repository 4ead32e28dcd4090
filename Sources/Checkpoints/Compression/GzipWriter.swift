/// Packs bytes into a gzip file (RFC 1952) by zlib.
package enum GzipWriter {
  /// - Parameter matching: whether strings that come again are looked for; the numbers of weights have none, so that
  ///   entropy coding alone will do.
  /// - Throws: `CheckpointError.outOfMemory`, naming `file`.
  package static func pack(
    _ bytes: UnsafeRawBufferPointer, file: String, matching: Bool = false
  ) throws -> [UInt8] {
    var packed: [UInt8] = []
    do {
      let deflater = try Deflater(matching ? .matching : .numbers, piece: 1 << 18)
      try deflater.add(bytes, isLast: true) { packed.append(contentsOf: $0) }
    } catch is Deflater.Failure {
      throw CheckpointError.outOfMemory(file: file, tensor: "gzip", bytes: bytes.count)
    }
    return packed
  }
}
