import ArgumentParser
import Atlas
import Checkpoints
import Dictionaries
import Foundation
import Sites

/// `gscope info`
struct InfoCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "info",
    abstract: "Tell what a model, dictionary, suite, atlas or file of tensors is, its sizes and memory.",
    discussion: "Example: gscope info models/gemma-3-270m-q4_k_m.gguf")

  @Argument(
    help: ArgumentHelp(
      "A model (folder, GGUF file or name), a dictionary, a suite, an atlas, or a .safetensors, .npz or .gguf file. "
        + "Without it, the model that the other commands would run.",
      valueName: "path"),
    completion: .file())
  var path: String?

  @Option(
    help: ArgumentHelp("The site that a dictionary reads, where its folder does not tell.", valueName: "site"),
    transform: { try SiteList.site($0, flag: "--at") })
  var at: Site?

  @Flag(help: "Write JSON.") var json = false

  func run() throws {
    // An atlas that is being built has no file of its name yet.
    let begun = path.map { URL(filePath: $0) }.flatMap { Atlas.isBegun(at: $0) ? $0 : nil }
    let url = try begun ?? ModelCache.standard.resolve(path, flag: "info")
    let subject = try InfoSubject(url, site: at)
    if at != nil, subject.kind != "dictionary" {
      throw CommandError.usage("--at: \(url.path) is a \(subject.kind), which reads no site of its own")
    }
    let facts = try subject.facts()
    if json {
      return try StandardOutput.line(
        .document(
          [("kind", .string(subject.kind)), ("path", .string(url.relativePath))] + facts.map { ($0.key, $0.value) }))
    }
    var table = TextTable([.init(""), .init("")])
    table.add([.init(subject.kind, .bold), .init(url.relativePath, .accent)])
    for fact in facts { table.add([.init(fact.label), .init(fact.text)]) }
    try table.write()
    try showList(subject)
  }

  private func showList(_ subject: InfoSubject) throws {
    switch subject {
    case .suite(let suite): for entry in suite.entries { try StandardOutput.line("  \(entry)") }
    case .tensors(_, let source):
      var table = TextTable([.init("tensor"), .init("type"), .init("shape"), .init("bytes", .right)])
      for name in source.names {
        let info = try source.info(name)
        table.add([
          .init(VisibleText.piece(name), .accent), .init(info.typeName), .init("\(info.shape)"),
          .init(Format.bytes(info.byteCount), .dim),
        ])
      }
      try table.write()
    case .atlas(let atlas): try AtlasReport.showDictionaries(atlas)
    case .model, .dictionary: break
    }
  }
}
