import ArgumentParser
import Checkpoints
import Foundation
import Gemma
import Sites
import Tensors

/// `gscope activations`
struct ActivationsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "activations", abstract: "Save the activations at chosen sites of the model.",
    discussion: """
      The file holds one f32 tensor [tokens, width] for each site, named as the site, and the ids as 'tokens'. Sites: \
      embed, and resid_post.N, attn_out.N, mlp_in.N, mlp_out.N for layer N, or .all for every layer.

      Example: gscope activations --site resid_post.9 --text "Hello, world" --save hello.safetensors
      """)

  @OptionGroup var model: ModelOptions
  @OptionGroup var input: TextOptions

  @Option(help: ArgumentHelp("A site, repeatable: resid_post.9, or resid_post.all.", valueName: "site"))
  var site: [String] = []

  @Option(help: ArgumentHelp("The safetensors file to write.", valueName: "file"), completion: .file())
  var save: String

  @Flag(help: "Write JSON.") var json = false

  func validate() throws {
    _ = try input.required()
    _ = try SiteList.sites(site, shape: nil)
    try SavePath.validate(save)
  }

  func run() throws {
    try SavePath.check(save)
    let opened = try model.open()
    let sites = try SiteList.sites(site, shape: opened.model.shape)
    var run = try TextRun(try input.required(), opened: opened)
    let texts = try run.collect()
    let total = texts.reduce(0) { $0 + $1.count }
    let file = try ArrayFile(
      save, texts: texts, isMany: input.isMany,
      entries: sites.map { .init("\($0)", shape: [total, opened.model.shape.width(of: $0)], dtype: .f32) })
    let progress = Progress("activations", total: total, unit: "tokens")
    for text in texts {
      var norms = sites.map { _ in MeanNorm() }
      try TextPass(ids: text.ids, opened: opened, progress: progress).run(capture: Set(sites)) { result, range in
        let counted = range.filter { !opened.isSpecial(text.ids[$0]) }.map { $0 - range.lowerBound }
        for (i, activations) in try result.activations(at: sites, of: opened).enumerated() {
          try file.append(activations, to: "\(sites[i])")
          try norms[i].add(activations, rows: counted)
          try Interruption.check()
        }
      }
      if input.isMany {
        try StandardOutput.line(document(text, sites, norms, opened))
      } else {
        try file.finish()
        try json ? StandardOutput.line(document(text, sites, norms, opened)) : show(text, sites, norms, opened)
      }
    }
    if input.isMany { try file.finish() }
  }

  private func show(_ text: TokenizedText, _ sites: [Site], _ norms: [MeanNorm], _ opened: OpenedModel) throws {
    var table = TextTable([.init("site"), .init("shape"), .init("mean norm", .right)])
    for (site, norm) in zip(sites, norms) {
      table.add([
        .init("\(site)", .accent), .init("[\(text.count), \(opened.model.shape.width(of: site))]"),
        .init(norm.value.map(Format.short) ?? "-"),
      ])
    }
    try table.write()
    try StandardOutput.line("saved to \(save)")
  }

  private func document(
    _ text: TokenizedText, _ sites: [Site], _ norms: [MeanNorm], _ opened: OpenedModel
  ) -> JSONValue {
    let list = zip(sites, norms).map { site, norm -> JSONValue in
      [
        "site": .string("\(site)"), "width": .integer(opened.model.shape.width(of: site)),
        "mean_norm": .optional(norm.value),
      ]
    }
    return .document(
      id: text.id,
      [
        ("tokens", TokenWriter(tokenizer: opened.tokenizer.value).json(text)), ("sites", .array(list)),
        ("saved", .string(save)),
      ])
  }

}

/// The mean Euclidean length of activations, special tokens left out: those of `<bos>` are so long that a short text's
/// mean would be about them alone.
private struct MeanNorm {
  private var sum = 0.0
  private var count = 0

  /// Nil when nothing was counted.
  var value: Double? { count > 0 ? sum / Double(count) : nil }

  mutating func add(_ x: Tensor, rows: [Int]) throws {
    let values = try x.read()
    let width = x.rowLength
    for row in rows {
      sum += values[row * width..<(row + 1) * width].reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
    }
    count += rows.count
  }
}
