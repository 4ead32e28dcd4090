import ArgumentParser
import Dictionaries
import Foundation
import Gemma

/// `gscope verify`
struct VerifyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Check that a dictionary fits the model, and name the likely fault where it does not.",
    discussion: """
      Measures L0, FVU and the rise of the loss when reconstructions replace activations, on a built-in English text \
      or yours, and compares them with the dictionary's card. On a bad result common mistakes are tried: another \
      site, a transposed skip, a relative decoder axis, a norm's gain left out. Exit status 1 on a bad result.

      Example: gscope verify --dictionary dictionaries/resid_post/layer_9_width_16k_l0_small
      """)

  @OptionGroup var model: ModelOptions
  @OptionGroup var dictionaries: DictionaryOptions
  @OptionGroup var input: TextOptions

  @Option(help: ArgumentHelp("Tokens read together; longer texts are cut.", valueName: "n"))
  var context = 1024

  @Option(help: ArgumentHelp("Use at most so many tokens.", valueName: "n"))
  var maxTokens = 4096

  @Flag(help: "Try the common mistakes whatever the result.") var variants = false
  @Flag(help: "Do not measure the loss with reconstructions in place.") var skipLoss = false
  @Flag(help: "Write JSON.") var json = false

  func validate() throws {
    _ = try input.source()
    try dictionaries.requireOne()
    if context < 2 { throw ValidationError("--context is \(context); expected a number from 2.") }
    if maxTokens < 2 { throw ValidationError("--max-tokens is \(maxTokens); expected a number from 2.") }
  }

  func run() throws {
    let opened = try model.open()
    let list = try dictionaries.open(for: opened)
    let texts = try pieces(opened)
    var faults: [String] = []
    for item in list {
      let dictionary = item.dictionary
      let count = texts.reduce(0) { $0 + $1.count }
      let progress = Progress("verify", total: count, unit: "tokens")
      let verification = try Verification(
        dictionary, texts: texts, opened: opened, splices: !skipLoss, progress: progress)
      let reference = try ReferenceFigures(item)
      let fault = ReferenceFigures.fault(verification.metrics, against: reference)
      let tried =
        variants || fault != nil
        ? try FaultFinder(dictionary: dictionary, opened: opened, texts: texts).variants() : []
      let report = VerificationReport(
        dictionary: dictionary, verification: verification, reference: reference, fault: fault, variants: tried,
        modelName: opened.name)
      if json { try StandardOutput.line(report.json) } else { try report.show() }
      if let fault { faults.append("\(dictionary.name): \(fault)") }
    }
    if let first = faults.first { throw CommandError.checkFailed(first) }
  }

  /// The texts, each cut into pieces of at most `context` tokens that begin with `<bos>` like the text did.
  private func pieces(_ opened: OpenedModel) throws -> [[Int32]] {
    let run = try TextRun(try input.source() ?? .text(SampleText.paragraphs), opened: opened)
    let bos = opened.configuration.beginToken
    let context = min(self.context, opened.configuration.maximumPositions)
    var pieces: [[Int32]] = []
    var total = 0
    try run.each { text in
      var rest = text.ids[...]
      while !rest.isEmpty, total < maxTokens {
        let head = rest.first == bos || text.ids.first != bos ? [] : [bos]
        let body = rest.prefix(min(context, maxTokens - total) - head.count)
        rest = rest.dropFirst(max(body.count, 1))
        let piece = head + body
        guard piece.count > 1 else { continue }
        pieces.append(piece)
        total += piece.count
      }
    }
    guard !pieces.isEmpty else { throw CommandError.input(source: "the text", reason: "has fewer than two tokens") }
    return pieces
  }
}
