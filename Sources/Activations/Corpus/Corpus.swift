import Checkpoints
public import Foundation

/// Texts in files: plain text, JSONL, and gzip of either, read one after another in a fixed order.
///
/// ```swift
/// let corpus = try Corpus([URL(filePath: "corpus/train.jsonl.gz")])
/// let source = try ModelActivationSource(model, tokenizer: tokenizer, corpus: corpus, sites: [.residPost(9)])
/// ```
///
/// Of a folder these files are read, with those of folders in it: `.txt`, `.md`, `.text`, `.jsonl`, `.ndjson`, and the
/// same with `.gz`; hidden ones are left out. A file named itself may be called anything: it is JSONL when its name says
/// so, else plain text. Lines of JSONL are `{"text"}` or `{"messages":[{"role","content"}]}`; other keys are passed over.
public struct Corpus: Sendable {
  /// One file.
  public struct File: Equatable, Sendable {
    public let url: URL
    /// What the order goes by, and the hash holds: the path below the folder that was named, else the file's name.
    public let name: String
    public let isJSONL: Bool
    /// As it appears in errors.
    var path: String { url.path }
  }

  /// Sorted by name within each path that was given, these in their given order.
  public let files: [File]
  public let options: CorpusOptions

  /// Finds the files of `paths`.
  /// - Throws: `ActivationError` for a path that is missing or holds no text file, and impossible options.
  public init(_ paths: [URL], options: CorpusOptions = CorpusOptions()) throws {
    guard options.heldOutEvery >= 2 else {
      throw ActivationError.option(name: "heldOutEvery", reason: "is \(options.heldOutEvery), expected 2 or more")
    }
    guard !paths.isEmpty else { throw ActivationError.option(name: "corpus", reason: "names no file or folder") }
    self.options = options
    files = try paths.flatMap(Self.files)
  }

  /// SHA-256 over the names and contents of the files as they are stored and the options: what identifies the texts.
  /// - Throws: `CheckpointError.unreadable`, and what `check` throws.
  public func sha256(check: () throws -> Void = {}) throws -> String {
    var hash = SHA256()
    let settings = "\(options.separator) \(options.invalidText) \(options.part) \(options.heldOutEvery)\n"
    hash.add(settings.utf8)
    for file in files { hash.add("\(file.name)\0\(try SHA256.hex(of: file.url, check: check))\n".utf8) }
    return hash.hex
  }

  private static func files(of path: URL) throws -> [File] {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path.path, isDirectory: &isFolder) else {
      throw ActivationError.unreadable(path: path.path, reason: "no such file or folder")
    }
    guard isFolder.boolValue else {
      return [File(url: path, name: path.lastPathComponent, isJSONL: kind(path.lastPathComponent) == .jsonl)]
    }
    var names: [String] = []
    try list(path, below: "", into: &names)
    // By bytes, so that no locale has a say.
    names.sort { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    guard !names.isEmpty else {
      throw ActivationError.unreadable(
        path: path.path, reason: "the folder holds no .txt, .text, .md, .jsonl or .ndjson file, plain or .gz")
    }
    return names.map { File(url: path.appending(path: $0), name: $0, isJSONL: kind($0) == .jsonl) }
  }

  private static func list(_ folder: URL, below prefix: String, into names: inout [String]) throws {
    let entries: [String]
    do {
      entries = try FileManager.default.contentsOfDirectory(atPath: folder.path)
    } catch {
      throw ActivationError.unreadable(path: folder.path, reason: "the folder cannot be listed")
    }
    for entry in entries where !entry.hasPrefix(".") {
      var status = stat()
      let url = folder.appending(path: entry)
      guard lstat(url.path, &status) == 0 else { continue }
      switch status.st_mode & S_IFMT {
      case S_IFDIR: try list(url, below: prefix + entry + "/", into: &names)
      case S_IFREG, S_IFLNK: if kind(entry) != .other { names.append(prefix + entry) }
      default: continue
      }
    }
  }

  private enum Kind { case text, jsonl, other }

  private static func kind(_ name: String) -> Kind {
    var name = name.lowercased()[...]
    if name.hasSuffix(".gz") { name = name.dropLast(3) }
    if name.hasSuffix(".jsonl") || name.hasSuffix(".ndjson") { return .jsonl }
    return [".txt", ".text", ".md"].contains { name.hasSuffix($0) } ? .text : .other
  }
}
