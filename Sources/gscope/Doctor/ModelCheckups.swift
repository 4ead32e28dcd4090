import ArgumentParser
import Foundation
import Gemma
import Tensors
import Tokenization

/// Whether there is a model, and whether it and its tokenizer work.
enum ModelCheckups {
  static func all(_ options: ModelOptions) -> [Checkup] {
    let url: URL
    do {
      url = try options.locate()
    } catch {
      return [
        Checkup(
          "model", options.model == nil ? .warning : .failed, "\(error)",
          advice: "run 'make demo', or name one with --model or GSCOPE_MODEL")
      ]
    }
    let tokenizer = LoadedTokenizer(url)
    return [model(url), Self.tokenizer(tokenizer)]
  }

  private static func model(_ url: URL) -> Checkup {
    do {
      let start = ContinuousClock.now
      let opened = try OpenedModel(url, backend: try EngineSettings().makeBackend())
      let result = try opened.model.forward([[opened.configuration.beginToken]]) { try Interruption.check() }
      let first = try result.logits?.read().first ?? .nan
      let seconds = (ContinuousClock.now - start) / .seconds(1)
      guard first.isFinite else {
        return Checkup(
          "model", .failed, "\(url.relativePath): its logits are no numbers", advice: "fetch the model again")
      }
      let parameters = Format.grouped(opened.configuration.parameterCount)
      return Checkup(
        "model", .ok,
        "\(url.relativePath): \(parameters) parameters, \(opened.configuration.layers) layers; "
          + "first token after \(Format.decimal(seconds, 2)) s"
      )
    } catch let error as ValidationError {
      return Checkup("model", .failed, "not run: \(error.message)")
    } catch {
      return Checkup("model", .failed, "\(error)", advice: "name another with --model, or fetch it again")
    }
  }

  private static func tokenizer(_ tokenizer: LoadedTokenizer) -> Checkup {
    let sample = "Hello, world!  Ça va? 你好 👩‍🚀\n\tx = 1"
    do {
      let tokenizer = try tokenizer.required()
      let ids = tokenizer.encode(sample)
      guard try tokenizer.decode(ids, skipSpecials: true) == sample else {
        return Checkup(
          "tokenizer", .failed, "a sample text does not come back as it was", advice: "fetch the model again")
      }
      return Checkup(
        "tokenizer", .ok,
        "\(Format.grouped(tokenizer.vocabularySize)) ids; a sample text comes back from \(ids.count) tokens")
    } catch {
      return Checkup("tokenizer", .warning, "\(error)", advice: "without it only --tokens can be used")
    }
  }
}
