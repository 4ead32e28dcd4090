/// What a tokenizer is made of, however it was stored.
package struct TokenizerVocabulary {
  /// The file, and its fields that hold pieces and their kinds, for messages.
  let source: String
  let piecesField: String
  let kindsField: String
  let pieces: PieceTable
  /// One per piece.
  let kinds: [PieceKind]
  /// Ids of the tokens to find in raw text, special or not.
  let added: [Int32]
  /// Ids of `<0x00>` to `<0xFF>`.
  let bytes: [Int32]
  let rules: MergeRules

  /// The ids of the byte pieces.
  /// - Throws: `TokenizerError.invalid` naming the first that is missing.
  static func byteIDs(_ pieces: PieceTable, source: String, field: String) throws -> [Int32] {
    try (0..<256).map { value in
      let hex = String(value, radix: 16, uppercase: true)
      let piece = "<0x\(value < 16 ? "0" : "")\(hex)>"
      guard let id = pieces.find(piece) else {
        throw TokenizerError.invalid(file: source, field: field, reason: "has no byte piece '\(piece)'")
      }
      return id
    }
  }

  /// Adds `bytes` as piece `id`.
  /// - Throws: `TokenizerError.invalid` when the piece or the id is taken or absurd.
  static func insert(
    _ bytes: UnsafeBufferPointer<UInt8>, id: Int, into pieces: inout PieceTable, source: String, field: String
  ) throws {
    func fault(_ reason: String) -> TokenizerError { .invalid(file: source, field: field, reason: reason) }
    guard id >= 0, id < PieceTable.maximumCount else {
      throw fault("id \(id) is outside 0..<\(PieceTable.maximumCount)")
    }
    switch pieces.insert(bytes, id: id) {
    case .done: return
    case .empty: throw fault("the piece of id \(id) is empty")
    case .tooLarge: throw fault("pieces of more than 4 GiB")
    case .duplicateID: throw fault("id \(id) is given to two pieces")
    case .duplicatePiece(let other):
      let piece = String(decoding: bytes.prefix(80), as: UTF8.self)
      throw fault("piece '\(piece)' has two ids, \(other) and \(id)")
    }
  }
}
