import ArgumentParser
import Dictionaries
import Foundation
import Gemma
import Sites
import Training

/// `gscope plan`
struct PlanCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plan",
    abstract: "Tell what training dictionaries would take: parameters, bytes, operations, hours, memory a rank.",
    discussion: """
      Example: gscope plan --model 4b --kind transcoder --affine --layers all --width 16k --machine 8xh100
               gscope plan --published --machine 8xh100

      Nothing is trained; the rates of this machine are measured. Formulas and what they take for granted: docs/scale.md.
      """)

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("270m, 1b, 4b, 12b, 27b, or a model's path.", valueName: "size|path"), completion: .file())
  var model: String?
  @Flag(help: "The grid of Gemma Scope 2, of all sizes or the one that --model names.") var published = false
  @Option(help: ArgumentHelp("sae, transcoder, crosscoder or clt; several with commas.", valueName: "kind"))
  var kind: [String] = []
  @Option(help: ArgumentHelp("Where SAEs read: resid_post, attn_out, mlp_out, mlp_in.", valueName: "site"))
  var site: [String] = []
  @Option(
    help: ArgumentHelp("deep (25, 50, 65 and 85 % of the depth), all, or numbers with commas.", valueName: "layers"))
  var layers = "deep"
  @Option(help: ArgumentHelp("Features: numbers or 16k, 65k, 262k, 524k, 1m.", valueName: "n")) var width: [String] = []
  @Option(name: .customLong("l0"), help: ArgumentHelp("Active features a token.", valueName: "n")) var l0: [String] = []
  @Flag(help: "Transcoders with an affine skip.") var affine = false
  @Option(help: ArgumentHelp("Tokens to train on: 2e9, 500M, 8B.", valueName: "n")) var tokens: TokenCount?
  @Option(help: ArgumentHelp("Tokens of a step.", valueName: "n")) var batch = 4096
  @Option(help: ArgumentHelp("Matryoshka prefixes.", valueName: "n")) var prefixes = 5
  @Option(help: ArgumentHelp("Tokens of a sequence.", valueName: "n")) var context = 1024
  @OptionGroup(title: "Machine") var machine: MachineOptions
  @Flag(help: "Write JSON.") var json = false

  func validate() throws {
    guard published || model != nil else { throw ValidationError("Missing --model, such as --model 4b.") }
    guard 1...(1 << 20) ~= batch, 1...16 ~= prefixes, 1...(1 << 20) ~= context else {
      throw ValidationError("--batch and --context need 1 to 1048576, --prefixes 1 to 16.")
    }
    guard !published || kind.isEmpty && site.isEmpty && width.isEmpty && l0.isEmpty && !affine && layers == "deep"
    else {
      throw ValidationError("--published has its own kinds, sites, layers, widths and L0s.")
    }
  }

  func run() throws {
    let settings = TrainingPlan.Settings(batch: batch, prefixes: prefixes, context: context)
    let machine = try machine.planned()
    if published {
      let models = try model.map { [try planned($0)] } ?? PlannedModel.sizes
      let report = PublishedReport(
        published: PublishedPlan(models, machine: machine, settings: settings, tokens: tokens?.value), machine: machine)
      return json ? try StandardOutput.line(report.document) : try report.write()
    }
    let model = try planned(model ?? "")
    let dictionaries = try grid(model).dictionaries(model)
    let plan = TrainingPlan(
      model: model, machine: machine, settings: settings, dictionaries: dictionaries.map { ($0, tokens?.value ?? 8e9) })
    let report = PlanReport(plan: plan)
    return json ? try StandardOutput.line(.document(report.members)) : try report.write()
  }

  private func planned(_ name: String) throws -> PlannedModel {
    if let size = PlannedModel.sizes.first(where: { $0.name == name.lowercased() }) { return size }
    let url = try ModelCache.standard.resolve(name, flag: "plan")
    return PlannedModel(name: url.lastPathComponent, try GemmaCheckpoint(url).configuration)
  }

  private func grid(_ model: PlannedModel) throws -> DictionaryGrid {
    let kinds: [DictionaryKind] = try CommaList.values(kind, "--kind", "kind: sae, transcoder, crosscoder or clt") {
      DictionaryKind(rawValue: $0)
    }
    let sites: [Site.Kind] = try CommaList.values(site, "--site", "site of a layer, such as resid_post") {
      Site.Kind(rawValue: $0).flatMap { $0 == .embed ? nil : $0 }
    }
    let widths: [Int] = try CommaList.values(width, "--width", "width, such as 16k", FeatureWidth.features)
    let l0s: [Int] = try CommaList.values(l0, "--l0", "number of features") { text in
      Int(text).flatMap { 1...FeatureWidth.most ~= $0 ? $0 : nil }
    }
    return DictionaryGrid(
      kinds: kinds.isEmpty ? [.sae] : kinds, saeSites: sites.isEmpty ? [.residPost] : sites,
      layers: try chosenLayers(model), widths: widths.isEmpty ? [1 << 14] : widths,
      l0s: l0s.isEmpty ? [60] : l0s, isAffine: affine)
  }

  private func chosenLayers(_ model: PlannedModel) throws -> [Int] {
    switch layers {
    case "deep": return model.deepLayers
    case "all": return Array(0..<model.layers)
    default:
      let chosen: [Int] = try CommaList.values([layers], "--layers", "layer") { Int($0) }
      guard !chosen.isEmpty, chosen.allSatisfy({ 0..<model.layers ~= $0 }) else {
        throw ValidationError("--layers: \(model.name) has layers 0 to \(model.layers - 1).")
      }
      return Set(chosen).sorted()
    }
  }
}
