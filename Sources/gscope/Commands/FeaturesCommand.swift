import ArgumentParser
import Dictionaries
import Foundation
import Gemma
import Sites
import Tensors

/// `gscope features`
struct FeaturesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "features", abstract: "Show which dictionary features a text turns on.",
    discussion: """
      Special tokens such as <bos> are encoded but left out of L0 and of FVU (the share of the activations' variance \
      that the reconstruction misses, over this text).

      Example: gscope features --dictionary resid=dictionaries/layer_9 --text "Hello, world" --top-k 5
      """)

  @OptionGroup var model: ModelOptions
  @OptionGroup var dictionaries: DictionaryOptions
  @OptionGroup var input: TextOptions

  @Option(help: ArgumentHelp("At most so many features a token, strongest first; 0 for all.", valueName: "k"))
  var topK = 10

  @Option(help: ArgumentHelp("Write the whole code to a safetensors file.", valueName: "file"), completion: .file())
  var save: String?

  @Flag(help: "Save the reconstructed activations too.") var reconstruction = false

  @Option(
    help: ArgumentHelp(
      "Take labels from this atlas; without it from GSCOPE_ATLAS, or the suite's own where it was expanded.",
      valueName: "atlas"), completion: .file(extensions: ["sqlite"]))
  var atlas: String?

  @Flag(help: "Write JSON.") var json = false

  func validate() throws {
    _ = try input.required()
    try dictionaries.requireOne()
    if topK < 0 { throw ValidationError("--top-k is \(topK); expected a number from 0.") }
    try SavePath.validate(save)
    if reconstruction, save == nil { throw ValidationError("--reconstruction needs --save.") }
  }

  func run() throws {
    try save.map(SavePath.check)
    let opened = try model.open()
    let items = try dictionaries.open(for: opened)
    let list = items.map(\.dictionary)
    let cards = try items.map { try $0.card() }
    let labels = try FeatureLabels(atlas, dictionaries: list)
    var run = try TextRun(try input.required(), opened: opened)
    // The size of a code is known only when it is there, so what is to be saved waits for the last text.
    var saved: [FeatureReading] = []
    let isSaving = save != nil
    var shown: FeatureReading?
    let progress = Progress(
      "features", total: isSaving ? try run.collect().reduce(0) { $0 + $1.count } : 0, unit: "tokens")
    try run.each { text in
      let reading = try FeatureReading(
        text, dictionaries: list, opened: opened, keepsOutputs: reconstruction, progress: progress)
      if isSaving { saved.append(reading) }
      if input.isMany {
        try StandardOutput.line(reading.json(list, cards: cards, labels, opened, topK: topK))
      } else {
        shown = reading
      }
    }
    if let save { try FeatureFile.write(saved, dictionaries: list, isMany: input.isMany, to: save) }
    guard let shown else { return }
    if json { return try StandardOutput.line(shown.json(list, cards: cards, labels, opened, topK: topK)) }
    try shown.show(list, cards: cards, labels, opened, topK: topK)
    if let save { try StandardOutput.line("saved to \(save)") }
  }
}
