import ArgumentParser
import Atlas
import Dictionaries
import Foundation
import Gemma
import Logging
import Sites
import Tensors

/// `gscope atlas search`
struct AtlasSearchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "search", abstract: "Find features by words, by a text they fire on, or by a direction.",
    discussion: """
      Exactly one of --words, a text (--text, --file, --tokens, --chat, --texts), --vector, or --plus with --minus. All \
      dictionaries of the atlas are searched, or those of --dictionary: names that the atlas has, and with a text also \
      paths, should they lie elsewhere now.

      An atlas that is being built (--partial) can be searched by a text. The index of words and the directions are made \
      after its last token, so that --words, --vector and --plus have to wait for it.

      Examples:
        gscope atlas search atlas.sqlite --words '"of the" king*'
        gscope atlas search atlas.sqlite --text "The Eiffel Tower is in Paris"
        gscope atlas search atlas.sqlite --chat conversation.json
        gscope atlas search atlas.sqlite --plus "I love this" --minus "I hate this" --site resid_post.9
      """)

  @OptionGroup var path: AtlasPath
  @OptionGroup var model: ModelOptions
  @OptionGroup var dictionaries: DictionaryOptions

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Words in explanations, examples and raised tokens; \"a b\" is a phrase, a* a beginning.", valueName: "words"))
  var words: String?

  @OptionGroup(title: "Text in which features are on, the most specific first") var input: TextOptions

  @Option(help: ArgumentHelp("Only this token of the text, <bos> being 0.", valueName: "n")) var position: Int?

  @Option(
    help: ArgumentHelp("Features of largest cosine with this tensor of a safetensors file.", valueName: "file#tensor"))
  var vector: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("A text whose mean activation, less that of --minus, is the direction.", valueName: "text"))
  var plus: String?

  @Option(parsing: .unconditional, help: ArgumentHelp("The text that is taken away.", valueName: "text"))
  var minus: String?

  @Flag(help: "Of --plus and --minus take the last token alone.") var last = false

  @Option(
    help: ArgumentHelp(
      "The site of --vector, or at which --plus and --minus are compared; else only features that read it.",
      valueName: "site"),
    transform: { try SiteList.site($0, flag: "--site") })
  var site: Site?

  @Flag(help: "Compare a direction with what features read at --site, not with what they write.") var encoder = false

  @Option(help: ArgumentHelp("Only features with a label of at least this accuracy in detection.", valueName: "0…1"))
  var minScore: Double?

  @Option(help: ArgumentHelp("Only features that are on at this share of the tokens at most.", valueName: "0…1"))
  var maxRate: Double?

  @Option(help: ArgumentHelp("Results at most.", valueName: "k")) var topK = 20
  @Flag(help: "Search an atlas that is not finished, too: by a text.") var partial = false
  @Flag(help: "Write JSON.") var json = false

  var isDirection: Bool { vector != nil || plus != nil || minus != nil }

  func validate() throws {
    let source = try input.source()
    let ways = [words != nil, source != nil, vector != nil, plus != nil || minus != nil].count { $0 }
    guard ways == 1 else {
      throw ValidationError(
        "Expected one of --words, a text (--text, --file, --tokens, --chat, --texts), --vector, or --plus with --minus."
      )
    }
    if (plus == nil) != (minus == nil) { throw ValidationError("--plus and --minus belong together.") }
    if isDirection, site == nil { throw ValidationError("Missing --site, such as --site resid_post.9.") }
    if !isDirection, encoder || last {
      throw ValidationError("--encoder and --last are for directions: --vector, or --plus with --minus.")
    }
    for (flag, value) in [("--min-score", minScore), ("--max-rate", maxRate)] {
      if let value, !(0...1 ~= value) { throw ValidationError("\(flag) is \(value); expected a number from 0 to 1.") }
    }
    if last, plus == nil { throw ValidationError("--last belongs to --plus and --minus.") }
    if position != nil, source == nil {
      throw ValidationError("--position belongs to a text: --text, --file, --tokens, --chat or --texts.")
    }
    if let position, position < 0 { throw ValidationError("--position is \(position); expected a number from 0.") }
    if topK < 1 { throw ValidationError("--top-k is \(topK); expected a number from 1.") }
    if let vector, VectorName(vector) == nil {
      throw ValidationError("--vector is '\(vector)'; expected FILE#TENSOR.")
    }
  }
}
