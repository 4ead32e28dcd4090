import Tensors

/// How the files of a corpus are read.
public struct CorpusOptions: Codable, Equatable, Sendable {
  /// What ends a document of a plain text file.
  public enum Separator: String, Codable, CaseIterable, Sendable {
    /// Nothing: a file is a document.
    case file
    /// A line that is empty or holds white space only.
    case blankLine = "blank-line"
    /// A zero byte.
    case zero
  }

  /// What becomes of bytes that are not UTF-8.
  public enum InvalidText: String, Codable, CaseIterable, Sendable {
    /// An error that names the file and line.
    case refuse
    /// Each maximal part that is not UTF-8 becomes U+FFFD.
    case replace
  }

  /// The part of the documents that is read. A document belongs to one part by its own first bytes, wherever it stands.
  public enum Part: String, Codable, CaseIterable, Sendable {
    case all
    /// All but the held-out documents.
    case training
    case heldOut = "held-out"
  }

  public var separator: Separator
  public var invalidText: InvalidText
  public var part: Part
  /// One document in so many is held out.
  public var heldOutEvery: Int

  enum CodingKeys: String, CodingKey {
    case separator, part
    case invalidText = "invalid_text"
    case heldOutEvery = "held_out_every"
  }

  public init(
    separator: Separator = .file, invalidText: InvalidText = .refuse, part: Part = .all, heldOutEvery: Int = 50
  ) {
    self.separator = separator
    self.invalidText = invalidText
    self.part = part
    self.heldOutEvery = heldOutEvery
  }

  /// Whether a document that begins with `bytes` belongs to the part that is read.
  func includes(_ bytes: some Collection<UInt8>) -> Bool {
    guard part != .all else { return true }
    let isHeldOut = StableHash.of(bytes.prefix(4096)) % UInt64(max(heldOutEvery, 1)) == 0
    return isHeldOut == (part == .heldOut)
  }
}

/// A 64-bit hash that is the same in every process and on every machine: FNV-1a with the finaliser of SplitMix64.
package enum StableHash {
  package static func of(_ bytes: some Sequence<UInt8>) -> UInt64 {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    return SplitMix64.mixed(hash)
  }
}
