import ArgumentParser
import Checkpoints
import Dictionaries
import Foundation
import Sites
import Tensors

/// `gscope convert`
struct ConvertCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "convert", abstract: "Write a dictionary or a suite in another layout.",
    discussion: """
      Reads Gemma Scope's layouts, the compact form, SAELens, sparsify and circuit-tracer folders. What a layout \
      cannot hold is an error; what it would change must be asked for with --top-k or --threshold.

      Example: gscope convert suites/gemma-3-270m/resid_post/layer_9 --to saelens --output resid_9
      """)

  @Argument(
    help: ArgumentHelp("A dictionary's folder or file, or a suite's folder.", valueName: "dictionary"),
    completion: .file())
  var dictionary: String

  @Option(
    help: ArgumentHelp(
      "\(Self.layouts).", valueName: "layout"),
    transform: { text in
      guard let layout = DictionaryFormat(rawValue: text) else {
        throw ValidationError("'\(text)' is no layout; expected \(layouts).")
      }
      return layout
    })
  var to: DictionaryFormat

  private static var layouts: String { DictionaryFormat.allCases.map(\.rawValue).joined(separator: ", ") }

  @Option(
    name: .shortAndLong, help: ArgumentHelp("A new or empty folder.", valueName: "folder"), completion: .directory)
  var output: String

  @Option(help: ArgumentHelp("For sparsify: the features it keeps a token, in place of thresholds.", valueName: "k"))
  var topK: Int?

  @Option(
    help: ArgumentHelp(
      "From layouts that keep the strongest features: the threshold of every feature instead.", valueName: "number"))
  var threshold: Float?

  @Option(
    help: ArgumentHelp("The site read, where the layout does not tell.", valueName: "site"),
    transform: { try SiteList.site($0, flag: "--at") })
  var at: Site?

  @Flag(help: "Write JSON.") var json = false

  func validate() throws {
    if output.isEmpty { throw ValidationError("--output names no folder.") }
    if let topK {
      if to != .sparsify { throw ValidationError("--top-k is for --to sparsify.") }
      if topK < 1 { throw ValidationError("--top-k is \(topK); expected a number from 1.") }
    }
    if let threshold, !threshold.isFinite { throw ValidationError("--threshold is \(threshold); expected a number.") }
  }

  func run() throws {
    let (source, folder) = (URL(filePath: dictionary), URL(filePath: output))
    guard FileManager.default.fileExists(atPath: source.path) else {
      throw CommandError.file(path: dictionary, reason: "no such file or folder")
    }
    let backend = try NativeBackend(threads: 1)
    if Suite.isSuite(source) { return try convert(Suite(contentsOf: source), to: folder, backend) }
    let parameters = try readable {
      try DictionaryParameters(importing: source, site: at, threshold: threshold, backend: backend)
    }
    try Interruption.check()
    try readable {
      try parameters.write(as: to, to: folder, training: try Suite.training(of: source), topK: topK)
    }
    let error = to == .compact ? try ConversionLoss(parameters, compact: folder, backend: backend) : nil
    let shape = parameters.shape
    try report([(source.standardizedFileURL.lastPathComponent, shape.kind, shape.totalWidth)], folder, error)
  }

  private func convert(_ suite: Suite, to folder: URL, _ backend: any Backend) throws {
    if at != nil || threshold != nil {
      throw CommandError.usage("--at and --threshold are for single dictionaries, and \(dictionary) is a suite.")
    }
    let progress = Progress("convert", total: suite.entries.count, unit: "dictionaries")
    let written = try readable {
      try suite.convert(to: to, in: folder, topK: topK, backend: backend) { _ in
        try progress.advance(by: 1)
      }
    }
    try report(written.map { ($0.name, $0.kind, $0.width) }, folder, nil)
  }

  /// Names the flag that asks for an approximate result.
  private func readable<Result>(_ body: () throws -> Result) throws -> Result {
    do {
      return try body()
    } catch let error as ConversionError {
      guard case .approximate = error else { throw error }
      throw CommandError.input(
        source: "\(error)", reason: to == .sparsify && topK == nil ? "--top-k K" : "--threshold T")
    }
  }

  private func report(
    _ dictionaries: [(name: String, kind: DictionaryKind, width: Int)], _ folder: URL, _ error: ConversionLoss?
  ) throws {
    let bytes = try Self.bytes(below: folder)
    if json {
      return try StandardOutput.line(
        .document([
          ("from", .string(dictionary)), ("to", .string(to.rawValue)), ("output", .string(output)),
          (
            "dictionaries",
            .array(
              dictionaries.map {
                ["name": .string($0.name), "kind": .string($0.kind.rawValue), "width": .integer($0.width)]
              })
          ), ("bytes", .integer(bytes)), ("error", error?.json ?? .null),
        ]))
    }
    let what = dictionaries.count == 1 ? "\(dictionaries[0].kind.rawValue)" : "\(dictionaries.count) dictionaries"
    try StandardOutput.line("\(what) written to \(output) (\(to.rawValue), \(Format.bytes(bytes)))")
    if let error { try StandardOutput.line(error.text) }
  }

  private static func bytes(below folder: URL) throws -> Int {
    let files = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: [.fileSizeKey])
    var total = 0
    while let file = files?.nextObject() as? URL {
      total += try file.resourceValues(forKeys: [.fileSizeKey]).fileSize ?? 0
    }
    return total
  }
}

/// What the compact form costs, matrix by matrix: √(Σ(new − old)² / Σ old²).
struct ConversionLoss {
  let encoder: Double?
  let decoder: Double?
  let skip: Double?

  init(_ parameters: DictionaryParameters, compact folder: URL, backend: any Backend) throws {
    let found = try DictionaryParameters(SparseDictionary(contentsOf: folder, backend: backend))
    func share(_ part: (DictionaryParameters.Layer) -> [Float]) -> Double? {
      var (difference, total) = (0.0, 0.0)
      for (old, new) in zip(parameters.layers, found.layers) {
        for (a, b) in zip(part(old), part(new)) {
          difference += (Double(a) - Double(b)) * (Double(a) - Double(b))
          total += Double(a) * Double(a)
        }
      }
      return total > 0 ? (difference / total).squareRoot() : nil
    }
    encoder = share(\.encoder)
    decoder = share(\.decoder)
    skip = parameters.shape.isAffine ? share { $0.skip ?? [] } : nil
  }

  var json: JSONValue {
    ["encoder": .optional(encoder), "decoder": .optional(decoder), "skip": .optional(skip)]
  }

  var text: String {
    let parts = [("encoder", encoder), ("decoder", decoder), ("skip", skip)].compactMap { name, value in
      value.map { "\(name) \(Format.short($0 * 100)) %" }
    }
    return "numbers off by (root mean square): \(parts.joined(separator: ", "))"
  }
}
