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
      Exactly one of --words, --text, --vector, or --plus with --minus. All dictionaries of the atlas are searched, or \
      those of --dictionary: names that the atlas has, and with --text also paths, should they lie elsewhere now.

      Examples:
        gscope atlas search atlas.sqlite --words '"of the" king*'
        gscope atlas search atlas.sqlite --text "The Eiffel Tower is in Paris"
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

  @Option(
    name: .shortAndLong, parsing: .unconditional,
    help: ArgumentHelp("Features that are on in this text, the most specific first.", valueName: "text"))
  var text: String?

  @Option(help: ArgumentHelp("Only this token of --text, <bos> being 0.", valueName: "n")) var position: Int?

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
  @Flag(help: "Search an atlas that is not finished, too.") var partial = false
  @Flag(help: "Write JSON.") var json = false

  private var isDirection: Bool { vector != nil || plus != nil || minus != nil }

  func validate() throws {
    let ways = [words != nil, text != nil, vector != nil, plus != nil || minus != nil].count { $0 }
    guard ways == 1 else {
      throw ValidationError("Expected one of --words, --text, --vector, or --plus with --minus.")
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
    if position != nil, text == nil { throw ValidationError("--position belongs to --text.") }
    if let position, position < 0 { throw ValidationError("--position is \(position); expected a number from 0.") }
    if topK < 1 { throw ValidationError("--top-k is \(topK); expected a number from 1.") }
    if let vector, VectorName(vector) == nil {
      throw ValidationError("--vector is '\(vector)'; expected FILE#TENSOR.")
    }
  }

  func run() throws {
    let start = ContinuousClock.now
    let atlas = try Atlas(contentsOf: path.url, allowPartial: partial)
    let chosen = SearchDictionaries(atlas: atlas, options: dictionaries)
    // Of directions --site says what they are, and features of any site may lie near.
    let filter = SearchFilter(site: isDirection ? nil : site, minimumScore: minScore, maximumRate: maxRate)
    var query: [(key: String, value: JSONValue)] = []
    var found: [SearchResult] = []
    var tokenized: TokenizedText?
    var writer = TokenWriter(tokenizer: nil)
    var unit = "cosine"
    if let words {
      query = [("words", .string(words))]
      unit = "bm25"
      found = try atlas.search(words: words, in: chosen.names(), filter: filter, limit: topK)
    } else if let text {
      query = [("text", .string(text)), ("position", .optional(position))]
      unit = "bits"
      let opened = try open(atlas)
      writer = TokenWriter(tokenizer: try opened.tokenizer.required())
      let run = try TextSearch(text, flag: "--text", opened: opened)
      tokenized = run.text
      found = try atlas.search(
        codes: run.codes(chosen.open(for: opened)), rows: run.rows(position), opening: run.opening, filter: filter,
        limit: topK)
    } else if let site {
      query = [
        ("vector", .optional(vector)), ("plus", .optional(plus)), ("minus", .optional(minus)),
        ("site", .string("\(site)")), ("encoder", .bool(encoder)), ("last", .bool(last)),
      ]
      let names = try chosen.names()
      found = try atlas.search(
        direction: direction(at: site, atlas), encoder ? .read(site) : .written, in: names, filter: filter,
        limit: topK)
    }
    if !isDirection { query.append(("site", .optional(site.map { "\($0)" }))) }
    query += [("min_score", .optional(minScore)), ("max_rate", .optional(maxRate))]
    let report = SearchReport(
      query: query, results: found, text: tokenized, writer: writer,
      seconds: (ContinuousClock.now - start) / .seconds(1))
    try json ? StandardOutput.line(report.json) : report.show(unit)
  }

  private func open(_ atlas: Atlas) throws -> OpenedModel {
    let opened = try model.open()
    if let name = try atlas.meta("model_name"), name != opened.name {
      Diagnostics.log.warning("the atlas was made with \(name), this is \(opened.name)")
    }
    return opened
  }

  /// The direction that is looked for: at the site itself for encoders, else what it is in the residual stream.
  private func direction(at site: Site, _ atlas: Atlas) throws -> [Float] {
    // What stands at most sites is in the stream as it is, and a vector then needs no model.
    let needsModel = !encoder && (site.kind == .attnOut || site.kind == .mlpIn)
    var opened: OpenedModel?
    var numbers: [Float] = []
    if let name = vector.flatMap({ VectorName($0) }) {
      numbers = try name.read()
      if needsModel { opened = try open(atlas) }
    } else if let plus, let minus {
      let model = try open(atlas)
      let added = try TextSearch(plus, flag: "--plus", opened: model).mean(at: site, last: last)
      let taken = try TextSearch(minus, flag: "--minus", opened: model).mean(at: site, last: last)
      numbers = zip(added, taken).map { Float($0 - $1) }
      opened = model
    }
    guard needsModel, let opened else { return numbers }
    return try opened.model.residualDirections(
      of: site, opened.backend.tensor(numbers, shape: [1, numbers.count])
    ).read()
  }
}
