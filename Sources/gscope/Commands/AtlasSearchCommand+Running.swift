import Atlas
import Foundation
import Gemma
import Logging
import Sites
import Tensors

extension AtlasSearchCommand {
  func run() throws {
    let start = ContinuousClock.now
    let atlas = try Atlas(contentsOf: path.url, allowPartial: partial)
    if let source = try input.source() { return try search(source, atlas, from: start) }
    let chosen = SearchDictionaries(atlas: atlas, options: dictionaries)
    if let words {
      let found = try atlas.search(words: words, in: chosen.names(), filter: filter, limit: topK)
      try write([("words", .string(words)), siteMember], found, unit: "bm25", from: start)
    } else if let site {
      let names = try chosen.names()
      let found = try atlas.search(
        direction: direction(at: site, atlas), encoder ? .read(site) : .written, in: names, filter: filter,
        limit: topK)
      let query: [(key: String, value: JSONValue)] = [
        ("vector", .optional(vector)), ("plus", .optional(plus)), ("minus", .optional(minus)), siteMember,
        ("encoder", .bool(encoder)), ("last", .bool(last)),
      ]
      try write(query, found, unit: "cosine", from: start)
    }
  }

  /// Searches for each of the texts: one, or a line of output for each of many.
  private func search(_ source: TextOptions.Source, _ atlas: Atlas, from start: ContinuousClock.Instant) throws {
    let opened = try open(atlas)
    let writer = TokenWriter(tokenizer: opened.tokenizer.value)
    let list = try SearchDictionaries(atlas: atlas, options: dictionaries).open(for: opened)
    var start = start
    try TextRun(source, opened: opened).each { text in
      let run = TextSearch(text, opened: opened)
      let rows = try run.rows(position)
      let found = try atlas.search(
        codes: run.codes(list), rows: rows, opening: run.opening, filter: filter, limit: topK)
      let query = [source.member, ("position", .optional(position)), siteMember]
      try write(query, found, text: text, writer, unit: "bits", from: start)
      start = .now
    }
  }

  private func write(
    _ query: [(key: String, value: JSONValue)], _ found: [SearchResult], text: TokenizedText? = nil,
    _ writer: TokenWriter = TokenWriter(tokenizer: nil), unit: String, from start: ContinuousClock.Instant
  ) throws {
    let limits: [(key: String, value: JSONValue)] = [
      ("min_score", .optional(minScore)), ("max_rate", .optional(maxRate)),
    ]
    let report = SearchReport(
      query: query + limits, results: found, text: text, writer: writer,
      seconds: (ContinuousClock.now - start) / .seconds(1))
    try json || input.isMany ? StandardOutput.line(report.json) : report.show(unit)
  }

  /// Of directions `--site` says what they are, and features of any site may lie near.
  private var filter: SearchFilter {
    SearchFilter(site: isDirection ? nil : site, minimumScore: minScore, maximumRate: maxRate)
  }

  private var siteMember: (key: String, value: JSONValue) { ("site", .optional(site.map { "\($0)" })) }

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

extension TextOptions.Source {
  /// As the query of a search is told: the flag's name and what it says.
  fileprivate var member: (key: String, value: JSONValue) {
    switch self {
    case .text(let text): ("text", .string(text))
    case .file(let path): ("file", .string(path))
    case .tokens(let ids): ("tokens", .array(ids.map { .integer(Int($0)) }))
    case .chat(let path): ("chat", .string(path))
    case .texts(let path): ("texts", .string(path))
    }
  }
}
