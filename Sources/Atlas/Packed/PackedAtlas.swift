import Checkpoints
import Dictionaries
public import Foundation
import Gemma
import Sites
import Tokenization

/// A packed atlas: a small file from which, with the model and the dictionaries it is about, an atlas is made again
/// without a pass of the model.
///
/// ```swift
/// let packed = try PackedAtlas(contentsOf: URL(filePath: "suites/gemma-3-270m/atlas/atlas.gsatlas"))
/// try packed.expand(
///   to: URL(filePath: "atlas.sqlite"), dictionaries: dictionaries, model: model,
///   AtlasModel(name: "google/gemma-3-270m", sha256: hash), tokenizer: tokenizer)
/// ```
public struct PackedAtlas: Sendable {
  /// The file.
  public let url: URL
  let contents: PackedContents
  private static let mostBytes = 1 << 28

  /// Reads a file, and checks that it is whole and that everything in it fits together.
  /// - Throws: `AtlasError.file` for a file that is damaged, cut short, of another version, or none.
  public init(contentsOf url: URL) throws {
    guard let size = try? url.resourceValues(forKeys: [.fileSizeKey]).fileSize, size <= Self.mostBytes,
      let data = try? Data(contentsOf: url)
    else { throw AtlasError.file(path: url.path, reason: "cannot be read, or is larger than any packed atlas") }
    try self.init([UInt8](data), url: url)
  }

  package init(_ bytes: [UInt8], url: URL) throws {
    try self.init(url: url) { try PackedContainer.unpack(bytes, path: url.path) }
  }

  /// - Parameter columns: what a file unpacks to.
  package init(url: URL, columns: () throws -> [[UInt8]]) throws {
    self.url = url
    do {
      contents = try PackedContents(columns())
    } catch let fault as ColumnReader.Fault {
      throw AtlasError.file(path: url.path, reason: fault.reason)
    }
  }

  /// Whether a file begins as packed atlases do.
  public static func isPacked(_ url: URL) -> Bool {
    guard let file = try? FileHandle(forReadingFrom: url) else { return false }
    defer { try? file.close() }
    return (try? file.read(upToCount: PackedContainer.magic.count)).map { Array($0) == PackedContainer.magic } ?? false
  }

  /// Names of the dictionaries it covers.
  public var dictionaries: [String] { contents.dictionaries.map(\.name) }

  /// SHA-256 of the weights of a dictionary (`WeightHash`); nil for one that it does not cover.
  package func weightsSHA256(of name: String) -> String? { contents.dictionaries.first { $0.name == name }?.sha256 }

  /// SHA-256 of the weights of the model it was made with.
  public var modelSHA256: String { contents.meta.first { $0[0] == "model_sha256" }?[1] ?? "" }

  /// The dictionaries in the order of the atlas.
  /// - Throws: `AtlasError.file` unless model, tokenizer and dictionaries are the very ones it was made with.
  func matched(
    _ opened: [SparseDictionary], _ model: GemmaModel, _ identity: AtlasModel, _ tokenizer: GemmaTokenizer,
    _ check: () throws -> Void
  ) throws -> [SparseDictionary] {
    func other(_ what: String) -> AtlasError {
      .file(path: url.path, reason: "was made with another \(what): its SHA-256 differs")
    }
    guard identity.sha256 == modelSHA256 else { throw other("model than '\(identity.name)'") }
    let pieces = contents.meta.first { $0[0] == "tokenizer_sha256" }?[1]
    guard pieces == BuildFingerprint.hash(tokenizer) else { throw other("tokenizer") }
    return try contents.dictionaries.map { entry in
      guard let found = opened.first(where: { $0.name == entry.name }) else {
        throw AtlasError.file(
          path: url.path, reason: "is also about the dictionary '\(entry.name)'; give that, or its suite's folder")
      }
      let shape = found.shape
      func list(_ sites: [Site]) -> String { "[" + sites.map { "\"\($0)\"" }.joined(separator: ",") + "]" }
      guard shape.width == entry.width, shape.totalWidth == entry.features, list(shape.reads) == entry.reads,
        list(shape.writes) == entry.writes, shape.kind.rawValue == entry.kind, shape.inputWidth == entry.inputWidth,
        shape.outputWidth == entry.outputWidth,
        entry.isAttention == (FeatureDirections(dictionary: found, model: model).site.kind == .attnOut)
      else { throw AtlasError.file(path: url.path, reason: "'\(entry.name)' is another: here it is \(shape)") }
      try found.fits(model.shape, modelName: identity.name)
      guard try WeightHash.sha256(of: found.weightFiles, advance: { _ in try check() }) == entry.sha256 else {
        throw other("'\(entry.name)'")
      }
      return found
    }
  }
}
