public import Checkpoints
public import Foundation
public import Tensors

extension GemmaModel {
  /// Opens a model: a Hugging Face folder (`config.json` and safetensors, single or sharded) or a GGUF file.
  ///
  /// Weights stay mapped in their stored format; opening reads only headers and the small norm gains.
  /// - Throws: `GemmaError`, `CheckpointError` or `TensorError`, naming the file and the field or tensor at fault.
  public convenience init(contentsOf url: URL, backend: any Backend) throws {
    let checkpoint = try GemmaCheckpoint(url)
    try self.init(checkpoint, backend: backend)
  }

  /// A model from an opened checkpoint.
  /// - Throws: `GemmaError.weight` for a weight of another shape than the configuration asks for, `CheckpointError`,
  ///   `TensorError`.
  public convenience init(_ checkpoint: GemmaCheckpoint, backend: any Backend) throws {
    let weights = try GemmaWeights(
      checkpoint.source, names: checkpoint.names, configuration: checkpoint.configuration, backend: backend)
    self.init(configuration: checkpoint.configuration, weights: weights, backend: backend)
  }
}

/// An opened model checkpoint: its configuration and its tensors, not yet put to use.
public struct GemmaCheckpoint: Sendable {
  /// How a model is stored.
  public enum Format: String, Sendable {
    /// A folder with `config.json` and safetensors files.
    case huggingFace = "safetensors"
    /// One GGUF file.
    case gguf
  }

  /// The folder or file.
  public let url: URL
  /// How it is stored.
  public let format: Format
  /// What `config.json` or the GGUF header says.
  public let configuration: GemmaConfiguration
  /// The tensors as stored.
  public let source: any TensorSource
  /// The files that hold the weights, in the order of their names.
  public var weightFiles: [URL] {
    (source as? SafetensorsCheckpoint)?.files.map { URL(filePath: $0.path) } ?? [url]
  }
  /// The opened GGUF, whose header also holds the tokenizer.
  public let gguf: GGUFFile?
  let names: WeightNames

  /// Opens a checkpoint: reads its configuration and the tensors' names and places, no weights.
  /// - Throws: `GemmaError.notAModel` when `url` is neither a folder with a `config.json` nor a GGUF file, and the
  ///   readers' errors.
  public init(_ url: URL) throws {
    self.url = url
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) else {
      throw GemmaError.notAModel(path: url.path, reason: "no such file or folder")
    }
    if isFolder.boolValue {
      let file = url.appending(path: "config.json")
      guard let json = try? Data(contentsOf: file) else {
        throw GemmaError.notAModel(
          path: url.path, reason: "has no readable config.json, so it is no Hugging Face model folder")
      }
      format = .huggingFace
      gguf = nil
      var configuration = try GemmaConfiguration(huggingFace: [UInt8](json), file: file.path)
      let generation = url.appending(path: "generation_config.json")
      if let json = try? Data(contentsOf: generation) {
        try configuration.addEndTokens(generationConfig: [UInt8](json), file: generation.path)
      }
      self.configuration = configuration
      source = try SafetensorsCheckpoint(url)
      names = try WeightNames.detect(in: source, path: url.path)
    } else {
      let file = try GGUFFile(url)
      format = .gguf
      gguf = file
      configuration = try GemmaConfiguration(file)
      source = file
      names = .gguf
    }
  }
}
