import Checkpoints
import Dictionaries
import Foundation
import Gemma
import Tensors

/// What a path holds.
enum InfoSubject {
  case model(GemmaCheckpoint)
  case dictionary(SparseDictionary)
  case suite(Suite)
  /// Any other file of tensors.
  case tensors(format: String, source: any TensorSource)

  /// - Throws: `CommandError.input` when it is none of these, or the reader's error.
  init(_ url: URL) throws {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) else {
      throw CommandError.file(path: url.path, reason: "no such file or folder")
    }
    self = try isFolder.boolValue ? Self.folder(url) : Self.file(url)
  }

  private static func folder(_ url: URL) throws -> InfoSubject {
    let names = Set(try FileManager.default.contentsOfDirectory(atPath: url.path))
    if names.contains("suite.json") { return .suite(try Suite(contentsOf: url)) }
    if names.contains("params.safetensors") || names.contains("params.npz")
      || names.contains("params_layer_0.safetensors")
    {
      return try dictionary(url)
    }
    if names.contains("config.json") { return .model(try GemmaCheckpoint(url)) }
    throw CommandError.input(
      source: url.path,
      reason:
        "is neither a model (config.json), a dictionary (params*.safetensors, params.npz) nor a suite (suite.json)")
  }

  private static func file(_ url: URL) throws -> InfoSubject {
    switch url.pathExtension {
    case "gguf":
      let file = try GGUFFile(url)
      let architecture = try? file.string("general.architecture")
      return architecture == "gemma3" ? .model(try GemmaCheckpoint(url)) : .tensors(format: "gguf", source: file)
    case "npz":
      let file = try NPZFile(url)
      return file.contains("W_enc") ? try dictionary(url) : .tensors(format: "npz", source: file)
    case "safetensors": return .tensors(format: "safetensors", source: try SafetensorsFile(url))
    default:
      throw CommandError.input(source: url.path, reason: "is no folder and no .gguf, .safetensors or .npz file")
    }
  }

  private static func dictionary(_ url: URL) throws -> InfoSubject {
    .dictionary(try SparseDictionary(contentsOf: url, backend: try NativeBackend(threads: 1)))
  }
}
