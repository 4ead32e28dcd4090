import Checkpoints
import Dictionaries
import Foundation
import Gemma
import Tensors
import Tokenization

/// A model with its tokenizer.
struct OpenedModel {
  let url: URL
  let model: GemmaModel
  let tokenizer: LoadedTokenizer
  private let weightFiles: [URL]

  init(_ url: URL, backend: any Backend) throws {
    self.url = url
    let checkpoint = try GemmaCheckpoint(url)
    model = try GemmaModel(checkpoint, backend: backend)
    tokenizer = LoadedTokenizer(url, gguf: checkpoint.gguf)
    weightFiles = checkpoint.weightFiles
  }

  /// The SHA-256 of the weights: of the one file, or of several one after another in the order of their names.
  func weightHash() throws -> String {
    let sizes = weightFiles.map { (try? $0.resourceValues(forKeys: [.fileSizeKey]))?.fileSize ?? 0 }
    let progress = Progress("hash of the weights", total: sizes.reduce(0, +) / 1_000_000, unit: "MB")
    return try WeightHash.sha256(of: weightFiles) { try progress.advance(by: Double($0) / 1e6) }
  }

  var configuration: GemmaConfiguration { model.configuration }
  var backend: any Backend { model.backend }

  /// The name under which Hugging Face has it, as far as the path tells; else the path's last component.
  var name: String { Self.publishedName(url) ?? url.lastPathComponent }

  static func publishedName(_ url: URL) -> String? {
    guard let match = url.lastPathComponent.lowercased().firstMatch(of: /gemma-3-(270m|1b|4b|12b|27b)(-pt|-it)?/) else {
      return nil
    }
    return normalisedModelName(String(match.output.0))
  }

  /// All ids that `isSpecial` says yes to.
  var specialTokens: Set<Int32> {
    Set((0..<Int32(clamping: configuration.vocabularySize)).filter(isSpecial))
  }

  /// Tokens that no figure counts: dictionaries are not trained on them.
  func isSpecial(_ id: Int32) -> Bool {
    if let tokenizer = tokenizer.value { return tokenizer.isSpecial(id) }
    return id == configuration.beginToken || id == configuration.padToken || configuration.endTokens.contains(id)
  }
}

/// A model's tokenizer, or why there is none; ids can be used without one.
struct LoadedTokenizer {
  let value: GemmaTokenizer?
  private let problem: String

  /// The tokenizer of the model at `url`: `tokenizer.json` in a folder, the vocabulary inside a GGUF.
  init(_ url: URL, gguf: GGUFFile? = nil) {
    do {
      var isFolder: ObjCBool = false
      _ = FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder)
      let file = url.appending(path: "tokenizer.json")
      if isFolder.boolValue, !FileManager.default.fileExists(atPath: file.path) {
        throw CommandError.file(
          path: file.path, reason: "the model's folder has no tokenizer, so text cannot be read; --tokens works without"
        )
      }
      value =
        isFolder.boolValue || url.pathExtension == "json"
        ? try GemmaTokenizer(contentsOf: url) : try GemmaTokenizer(gguf: gguf ?? GGUFFile(url))
      problem = ""
    } catch {
      value = nil
      problem = "\(error)"
    }
  }

  /// - Throws: `CommandError.model` telling why there is none.
  func required() throws -> GemmaTokenizer {
    guard let value else { throw CommandError.model(problem) }
    return value
  }
}
