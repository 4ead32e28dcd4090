import Activations
import ArgumentParser
import Collectives
import Foundation
import Gemma
import Sites

/// `gscope harvest`
struct HarvestCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "harvest", abstract: "Store the activations of a corpus, for training dictionaries.",
    discussion: """
      One pass of the model feeds all sites. The rows of <bos> and other special tokens are left out. Run the same \
      command again to go on with one that was stopped; the result is the same to the last bit. Ranks started by mpirun \
      each take a share of the sequences.

      Example: gscope harvest --site resid_post.9 --corpus .cache/corpus/train.jsonl.gz --tokens 1000000 --output acts
      """)

  @OptionGroup var model: ModelOptions
  @OptionGroup var corpus: CorpusArguments

  @Option(help: ArgumentHelp("A site, repeatable: resid_post.9, or resid_post.all.", valueName: "site"))
  var site: [String] = []

  @Option(help: ArgumentHelp("Tokens to store, special ones not counted; the whole corpus without.", valueName: "n"))
  var tokens: Int?

  @Option(name: .shortAndLong, help: ArgumentHelp("The folder to write.", valueName: "dir"), completion: .directory)
  var output: String

  @Option(help: ArgumentHelp("Which share of the sequences this job takes, counted from 0.", valueName: "i/n"))
  var shard: ShardArgument?

  @Option(help: ArgumentHelp("Sequences that run at once.", valueName: "n")) var batch = 8
  @Option(
    help: ArgumentHelp("How activations are stored: fp32, bf16, or int8 with a scale per token.", valueName: "type"),
    transform: { try Choice.parse($0, "--dtype") })
  var dtype = StoredType.fp32

  @Option(help: ArgumentHelp("Recorded for readers that shuffle.", valueName: "n")) var seed: UInt64 = 0

  @Option(
    help: ArgumentHelp(
      "Leave out tokens whose norm is above so many times the median of their batch.", valueName: "factor"))
  var normFilter: Double?

  @Option(
    help: ArgumentHelp("Where that norm is measured; the first --site without.", valueName: "site"),
    transform: { try SiteList.site($0, flag: "--norm-site") })
  var normSite: Site?

  @Option(help: ArgumentHelp("Rows of a file; without, what makes about 64 MB.", valueName: "n"))
  var rowsPerFile: Int?

  @Flag(help: "Write JSON.") var json = false

  func validate() throws {
    _ = try SiteList.sites(site, shape: nil)
    try corpus.check()
    func positive(_ value: Int?, _ flag: String) throws {
      if let value, value < 1 { throw ValidationError("\(flag) is \(value); expected 1 or more.") }
    }
    try positive(tokens, "--tokens")
    try positive(rowsPerFile, "--rows-per-file")
    try positive(batch, "--batch")
    if let normFilter, !(normFilter >= 1 && normFilter.isFinite) {
      throw ValidationError("--norm-filter is \(normFilter); expected 1 or more.")
    }
    if normSite != nil, normFilter == nil { throw ValidationError("--norm-site needs --norm-filter.") }
  }

  func run() throws { try Ranks.run(harvest) }

  private func harvest(_ ranks: any Communicator) throws {
    let threads = try Ranks.threads(ranks)
    let (texts, opened) = try ranks.together {
      guard shard == nil || ranks.count == 1 else {
        throw CommandError.usage("--shard is for separate jobs; the \(ranks.count) ranks of this one have a share each")
      }
      return (try corpus.open(), try model.open(threads: threads))
    }
    let sites = try ranks.together { try SiteList.sites(site, shape: opened.model.shape) }
    var packing = PackingOptions(context: corpus.context, tokenLimit: tokens)
    (packing.shard, packing.shardCount) = shard.map { ($0.index, $0.count) } ?? (ranks.rank, ranks.count)
    let options = HarvestOptions(
      packing: packing, batch: batch,
      normFilter: normFilter.map { .init(site: normSite ?? sites[0], factor: $0) })
    let hashes = try ranks.fromRoot { [try opened.weightHash(), try texts.sha256(check: Interruption.check)] }
    let settings = StoreSettings(
      sites: sites.map { .init(site: $0, width: opened.model.shape.width(of: $0)) }, type: dtype, seed: seed,
      harvest: options, rowsPerShard: rowsPerFile, model: opened.name, modelSHA256: hashes[0], corpusSHA256: hashes[1])
    var folder = URL(filePath: output)
    if packing.shardCount > 1 { folder.append(path: "shard-\(packing.shard)-of-\(packing.shardCount)") }
    let writer = try ranks.together {
      try StoreWriter(
        folder, settings: settings, model: opened.model, tokenizer: try opened.tokenizer.required(), corpus: texts,
        check: Interruption.check)
    }
    let start = ContinuousClock.now
    do {
      try harvest(with: writer, jobs: packing.shardCount)
    } catch CommandError.interrupted {
      // Told below, by all ranks.
    }
    try Ranks.check(ranks)
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    let (rows, found) = (try ranks.gatherOne(writer.rows), try ranks.gatherOne(writer.rowsFound))
    guard ranks.isRoot else { return }
    try report(
      rows: rows.reduce(0, +), found: found.reduce(0, +), settings, ranks.count > 1 ? URL(filePath: output) : folder,
      seconds)
  }

  private func harvest(with writer: StoreWriter, jobs: Int) throws {
    if writer.rowsFound > 0, !writer.isComplete {
      Diagnostics.message("going on behind the \(Format.count(writer.rowsFound, "row")) stored before")
    }
    var passed = writer.tokensPassed
    let left = tokens.map { max(1, ($0 - passed) / jobs) } ?? 0
    let progress = Progress("harvest", total: writer.isComplete ? 0 : left, unit: "tokens")
    while try writer.step() {
      try progress.advance(by: Double(writer.tokensPassed - passed) / Double(jobs))
      passed = writer.tokensPassed
    }
    try writer.finish()
  }

  private func report(rows: Int, found: Int, _ settings: StoreSettings, _ folder: URL, _ seconds: Double) throws {
    let new = rows - found
    let rate = seconds > 0 ? Double(new) / seconds : 0
    if json {
      let sites = settings.sites.map { column -> JSONValue in
        ["site": .string("\(column.site)"), "width": .integer(column.width)]
      }
      return try StandardOutput.line(
        .document([
          ("output", .string(folder.path)), ("rows", .integer(rows)), ("rows_found", .integer(found)),
          ("sites", .array(sites)), ("dtype", .string(dtype.rawValue)), ("seconds", .double(seconds)),
          ("tokens_per_second", .double(rate)), ("model_sha256", .string(settings.modelSHA256)),
          ("corpus_sha256", .string(settings.corpusSHA256)),
        ]))
    }
    let work = new > 0 ? " in \(Format.duration(seconds)), \(Format.short(rate)) tokens/s" : ", all there already"
    try StandardOutput.line("\(Format.count(rows, "row")) in \(folder.path)\(work)")
  }
}

/// `--shard i/N`.
struct ShardArgument: ExpressibleByArgument {
  let index: Int
  let count: Int

  init?(argument: String) {
    let parts = argument.split(separator: "/", omittingEmptySubsequences: false).map { Int($0) }
    guard parts.count == 2, let index = parts[0], let count = parts[1], 1...65_536 ~= count, 0..<count ~= index else {
      return nil
    }
    self.index = index
    self.count = count
  }
}
