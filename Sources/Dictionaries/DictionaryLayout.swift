import Checkpoints
import Foundation
import Sites
import Tensors

/// Where the pieces of a dictionary are and what is known of it before any tensor is read.
struct DictionaryLayout {
  enum Format {
    case gemmaScope2, gemmaScope1
    /// Gemma Scope 2's files and names with int8 rows: see `CompactForm`.
    case compact
  }

  let format: Format
  /// The folder, or the npz file.
  let url: URL
  let configuration: DictionaryConfiguration
  let hints: DictionaryPathHints
  /// One file for each read, in order.
  let files: [URL]

  /// The most files of a multi-layer dictionary that are looked for; no Gemma has that many layers.
  static let mostLayers = 1024
  /// The largest `config.json` read; a real one takes 250 bytes.
  static let mostConfigurationBytes = 1 << 20

  /// - Throws: `DictionaryError.file` when `url` is no dictionary or lacks a layer's file,
  ///   `DictionaryError.configuration`.
  init(_ url: URL) throws {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) else {
      throw DictionaryError.file(path: url.path, reason: "does not exist")
    }
    let folder = isFolder.boolValue ? url : url.deletingLastPathComponent()
    self.url = url
    hints = DictionaryPathHints(components: folder.standardizedFileURL.pathComponents)
    configuration = try Self.configuration(in: folder)
    if !isFolder.boolValue {
      (format, files) = try Self.single(file: url, isCompact: configuration.isCompact)
    } else if let npz = Self.existing("params.npz", in: folder) {
      (format, files) = (.gemmaScope1, [npz])
    } else if configuration.isCompact {
      (format, files) = (.compact, try Self.layerFiles(in: folder, isPacked: Self.isPacked(folder)))
    } else {
      (format, files) = (.gemmaScope2, try Self.layerFiles(in: folder, isPacked: false))
    }
  }

  /// Whether a folder in the compact form has its files gzip'ed, as they are written, and not unpacked.
  private static func isPacked(_ folder: URL) -> Bool {
    existing("params.safetensors", in: folder) == nil && existing("params_layer_0.safetensors", in: folder) == nil
  }

  private static func single(file: URL, isCompact: Bool) throws -> (Format, [URL]) {
    switch file.pathExtension {
    case "npz": return (.gemmaScope1, [file])
    case "safetensors": return (isCompact ? .compact : .gemmaScope2, [file])
    case "gz" where isCompact: return (.compact, [file])
    default:
      throw DictionaryError.file(path: file.path, reason: "is no dictionary: expected a folder, .npz or .safetensors")
    }
  }

  private static func existing(_ name: String, in folder: URL) -> URL? {
    let file = folder.appending(path: name)
    return FileManager.default.fileExists(atPath: file.path) ? file : nil
  }

  private static func configuration(in folder: URL) throws -> DictionaryConfiguration {
    guard let file = existing("config.json", in: folder) else { return DictionaryConfiguration() }
    return try readJSON(file, limit: mostConfigurationBytes) { try DictionaryConfiguration(json: $0, path: file.path) }
  }

  private static func layerFiles(in folder: URL, isPacked: Bool) throws -> [URL] {
    let suffix = isPacked ? ".safetensors\(CompactForm.suffix)" : ".safetensors"
    let single = existing("params\(suffix)", in: folder)
    let names: [String]
    do {
      names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
    } catch {
      throw DictionaryError.file(path: folder.path, reason: "cannot be listed")
    }
    let numbers = Set(names.compactMap { layerNumber(ofFile: $0, suffix: suffix) })
    if let single {
      guard numbers.isEmpty else {
        throw DictionaryError.file(path: folder.path, reason: "holds both params\(suffix) and params_layer files")
      }
      return [single]
    }
    guard let last = numbers.max() else {
      throw DictionaryError.file(
        path: folder.path,
        reason: "is no dictionary: expected params\(suffix), params_layer_0\(suffix) … or params.npz")
    }
    guard last < mostLayers else {
      throw DictionaryError.file(
        path: folder.path, reason: "holds params_layer_\(last)\(suffix); at most \(mostLayers) layers")
    }
    if let missing = (0...last).first(where: { !numbers.contains($0) }) {
      throw DictionaryError.file(
        path: folder.path, reason: "params_layer_\(missing)\(suffix) is missing (files up to \(last) are there)")
    }
    return (0...last).map { folder.appending(path: "params_layer_\($0)\(suffix)") }
  }

  private static func layerNumber(ofFile name: String, suffix: String) -> Int? {
    let prefix = "params_layer_"
    guard name.hasPrefix(prefix), name.hasSuffix(suffix), name.count > prefix.count + suffix.count else { return nil }
    let digits = name.dropFirst(prefix.count).dropLast(suffix.count)
    guard digits.allSatisfy({ ("0"..."9").contains($0) }) else { return nil }
    return Int(digits)
  }
}

/// Maps a JSON file of at most `limit` bytes and hands its bytes to `body`.
func readJSON<Result>(_ file: URL, limit: Int, _ body: (UnsafeRawBufferPointer) throws -> Result) throws -> Result {
  let mapped: MappedFile
  do {
    mapped = try MappedFile(file)
  } catch TensorError.file(let path, let reason) {
    throw DictionaryError.file(path: path, reason: reason)
  }
  guard mapped.bytes.count <= limit else {
    throw DictionaryError.file(
      path: file.path, reason: "is \(mapped.bytes.count) bytes long; expected at most \(limit)")
  }
  return try withExtendedLifetime(mapped) { try body(mapped.bytes) }
}
