import Atlas
import Checkpoints
import Dictionaries
import Foundation
import Gemma
import Sites
import Tensors

/// What a path holds.
enum InfoSubject {
  case model(GemmaCheckpoint)
  case dictionary(SparseDictionary)
  case suite(Suite)
  /// A finished atlas, or one that is being built.
  case atlas(Atlas)
  /// Any other file of tensors.
  case tensors(format: String, source: any TensorSource)

  /// - Parameter site: what a dictionary reads, where it does not say so itself.
  /// - Throws: `CommandError.input` when it is none of these, or the reader's error.
  init(_ url: URL, site: Site? = nil) throws {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) else {
      if Atlas.isBegun(at: url) {
        self = .atlas(try Atlas(contentsOf: url, allowPartial: true))
        return
      }
      throw CommandError.file(path: url.path, reason: "no such file or folder")
    }
    self = try isFolder.boolValue ? Self.folder(url, site: site) : Self.file(url, site: site)
  }

  private static func folder(_ url: URL, site: Site?) throws -> InfoSubject {
    guard let list = try? FileManager.default.contentsOfDirectory(atPath: url.path) else {
      throw CommandError.file(path: url.path, reason: "cannot be read")
    }
    let names = Set(list)
    if names.contains("suite.json") { return .suite(try Suite(contentsOf: url)) }
    let weights =
      ["params.npz"] + ["params", "params_layer_0"].flatMap { ["\($0).safetensors", "\($0).safetensors.gz"] }
    if !names.isDisjoint(with: weights) { return try dictionary(url, site: site) }
    if names.contains("config.json") { return .model(try GemmaCheckpoint(url)) }
    throw CommandError.input(
      source: url.path,
      reason:
        "is neither a model (config.json), a dictionary (params*.safetensors, params.npz) nor a suite (suite.json)")
  }

  private static func file(_ url: URL, site: Site?) throws -> InfoSubject {
    switch url.pathExtension {
    case "gguf":
      let file = try GGUFFile(url)
      let architecture = try? file.string("general.architecture")
      return architecture == "gemma3" ? .model(try GemmaCheckpoint(url)) : .tensors(format: "gguf", source: file)
    case "npz":
      let file = try NPZFile(url)
      return file.contains("W_enc") ? try dictionary(url, site: site) : .tensors(format: "npz", source: file)
    case "safetensors": return .tensors(format: "safetensors", source: try SafetensorsFile(url))
    case "sqlite": return .atlas(try Atlas(contentsOf: url, allowPartial: true))
    default:
      throw CommandError.input(
        source: url.path, reason: "is no folder and no .gguf, .safetensors, .npz or .sqlite file")
    }
  }

  private static func dictionary(_ url: URL, site: Site?) throws -> InfoSubject {
    .dictionary(try SparseDictionary(contentsOf: url, site: site, backend: try NativeBackend(threads: 1)))
  }
}
