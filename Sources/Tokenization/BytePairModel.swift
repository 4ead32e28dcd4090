/// What a piece is for.
enum PieceKind: UInt8, Sendable {
  case normal
  /// Found whole in raw text, and kept by `skipSpecials`: runs of newlines, HTML tags.
  case added
  /// Found whole in raw text where specials are parsed, and left out by `skipSpecials`: `<bos>`, `<start_of_turn>`.
  case special
  /// One byte of a scalar that has no piece, spelled `<0x0A>`.
  case byte
}

/// The byte-pair encoding without its scratch memory: pieces, kinds and merges.
struct BytePairModel: Sendable {
  let pieces: PieceTable
  let kinds: [PieceKind]
  let rules: MergeRules
  let scalars: ScalarTable
  /// Ids of `<0x00>` to `<0xFF>`.
  let bytes: [Int32]
  /// Id of U+2581, a space's piece.
  let mark: Int32

  /// What `left` and `right` become. Byte and special pieces are never made by merging: the text of a special piece
  /// is cut out before, unless the caller asked for it to be spelled in ordinary pieces.
  @inline(__always)
  func merge(_ left: Int32, _ right: Int32) -> MergeRules.Merge {
    switch rules {
    case .table(let table): return table[left, right]
    case .concatenation(let powers):
      guard let product = pieces.join(left, right, powers: powers), Self.isProduct(kinds[Int(product)]) else {
        return .none
      }
      let rank = UInt32(product) << 10 | UInt32(MergeRules.maximumLength - pieces.length(left))
      return MergeRules.Merge(rank: rank, product: product)
    }
  }

  static func isProduct(_ kind: PieceKind) -> Bool { kind == .normal || kind == .added }

  /// Appends the tokens that `text` starts from: one a scalar, or one a byte for a scalar without a piece.
  @inline(__always)
  func seed(_ text: UnsafeBufferPointer<UInt8>, into ids: inout [Int32]) {
    var index = 0
    while index < text.count {
      let start = index
      let scalar = UTF8Scan.scalar(text, &index)
      let id = scalar == 0x20 ? mark : scalars[scalar]
      if id >= 0 {
        ids.append(id)
      } else {
        for i in start..<index { ids.append(bytes[Int(text[i])]) }
      }
    }
  }
}
