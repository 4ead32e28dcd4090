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
  }

  func run() throws {
    let opened = try model.open()
    let sites = try SiteList.sites(site, shape: opened.model.shape)
    var run = try TextRun(try input.required(), opened: opened)
    let texts = try run.collect()
    let total = texts.reduce(0) { $0 + $1.count }
    let file = try ArrayFile(
      save, texts: texts, isMany: input.isMany,
      entries: sites.map { .init("\($0)", shape: [total, opened.model.shape.width(of: $0)], dtype: .f32) })
    let progress = Progress("activations", total: total, unit: "tokens")
    let layers = Double((sites.last?.layer ?? 0) + 1)
    var norms = [Double](repeating: 0, count: sites.count)
    for text in texts {
      let result = try opened.model.forward([text.ids], capture: Set(sites), logits: .none) {
        try progress.advance(by: Double(text.count) / layers)
      }
      var own: [Double] = []
      for (i, site) in sites.enumerated() {
        guard let activations = result.activations[site] else {
          throw SiteError.layer(site: site, layers: opened.configuration.layers)
        }
        try file.append(activations, to: "\(site)")
        own.append(try Self.sumOfNorms(activations))
        norms[i] += own[i]
      }
      if input.isMany { try StandardOutput.line(document(text, sites, own, opened)) }
    }
    try file.finish()
    if input.isMany { return }
    if json, let text = texts.first { return try StandardOutput.line(document(text, sites, norms, opened)) }
    var table = TextTable([.init("site"), .init("shape"), .init("mean norm", .right)])
    for (site, norm) in zip(sites, norms) {
      table.add([
        .init("\(site)", .accent), .init("[\(total), \(opened.model.shape.width(of: site))]"),
        .init(Format.short(norm / Double(total))),
      ])
    }
    try table.write()
    try StandardOutput.line("saved to \(save)")
  }

  private func document(
    _ text: TokenizedText, _ sites: [Site], _ norms: [Double], _ opened: OpenedModel
  ) -> JSONValue {
    let list = zip(sites, norms).map { site, norm -> JSONValue in
      [
        "site": .string("\(site)"), "width": .integer(opened.model.shape.width(of: site)),
        "mean_norm": .double(norm / Double(text.count)),
      ]
    }
    return .document(
      id: text.id,
      [
        ("tokens", TokenWriter(tokenizer: opened.tokenizer.value).json(text)), ("sites", .array(list)),
        ("saved", .string(save)),
      ])
  }

  private static func sumOfNorms(_ x: Tensor) throws -> Double {
    let values = try x.read()
    let width = max(x.rowLength, 1)
    return stride(from: 0, to: values.count, by: width).reduce(0) { sum, start in
      sum + values[start..<min(start + width, values.count)].reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
    }
  }
}
