import Activations
import Collectives
import Dictionaries
import Foundation
import Sites
import Tensors
import TestSupport
import Training

/// Sparse combinations of fixed random directions: window k is a pure function of k; it ends after `windows`.
final class SyntheticSource: ActivationSource {
  let sites: [Site]
  let widths: [Int]
  private let windows: Int
  private let rows: Int
  private let directions: [[Float]]
  private var place = 0
  private var index = 0
  /// Throws instead of giving window so-and-so-many, counted from the source's making.
  var failsAfter: Int?
  private var given = 0

  init(sites: [Site] = [.residPost(0)], width: Int = 16, windows: Int = 3, rows: Int = 96) {
    self.sites = sites
    widths = sites.map { _ in width }
    self.windows = windows
    self.rows = rows
    var random = SeededRandom(seed: 7)
    directions = (0..<24).map { _ in random.floats(width) }
  }

  var state: StreamState { StreamState(windowIndex: index, row: place) }

  func restore(_ state: StreamState) throws {
    index = state.windowIndex
    place = state.row
  }

  func nextWindow() throws -> ActivationWindow? {
    if let failsAfter, given >= failsAfter { throw Stop() }
    guard place < windows else { return nil }
    var random = SeededRandom(seed: UInt64(place) &* 1000 &+ UInt64(index))
    let tensors = try sites.indices.map { site in
      var values: [Float] = []
      for _ in 0..<rows {
        var x = [Float](repeating: 0.1, count: widths[site])
        for _ in 0..<3 {
          let scale = abs(random.float()) * 5 + 1
          for (i, v) in directions[random.int(0...directions.count - 1)].enumerated() { x[i] += scale * v }
        }
        values += x
      }
      return try Tensor(values, shape: [rows, widths[site]])
    }
    place += 1
    index += 1
    given += 1
    return ActivationWindow(
      index: index - 1, count: rows, tensors: tensors, tokens: [Int32](repeating: 5, count: rows))
  }

  struct Stop: Error {}
}

/// A run on the synthetic source.
struct SyntheticRun {
  let folder: URL
  var recipes: [Recipe]
  var identity = RunIdentity(
    version: "test", modelName: "tiny", modelSHA256: "m", corpus: "c", corpusSHA256: "s")

  init(folder: URL, recipes: [Recipe]) {
    self.folder = folder
    self.recipes = recipes
  }

  /// One recipe of each objective, with everything switched on somewhere.
  static func recipes() throws -> [Recipe] {
    let common = "\"schema\":1,\"reads\":\"resid_post.0\",\"width\":32,\"context\":16,\"window\":96"
    return try [
      "{\(common),\"l0\":3,\"batch\":32,\"tokens\":700,\"repeats\":2,\"learning_rate\":0.003,\"bandwidth\":0.1,"
        + "\"sparsity\":{\"coefficient\":0.1,\"ramp\":{\"share\":0.3}},\"frequency\":{\"coefficient\":0.01},"
        + "\"matryoshka\":{\"prefixes\":[8]},\"threshold\":{\"start\":\"quantile\"},\"dead_after\":100,"
        + "\"initialisation\":{\"decoder_bias\":\"mean\"},\"schedule\":{\"warmup\":{\"share\":0.1}}}",
      "{\(common),\"objective\":\"batchtopk\",\"l0\":3,\"batch\":48,\"tokens\":500,\"learning_rate\":0.003,"
        + "\"adam\":{\"beta1\":0.9},\"auxk\":{\"features\":4},\"dead_after\":100,\"schedule\":{\"warmup\":{\"steps\":2}}}",
    ].map { try Recipe(json: Array($0.utf8), file: "r.json") }
  }

  func make(
    _ source: any ActivationSource, resumes: Bool = false, communicator: any Communicator = SingleRank()
  ) throws -> TrainingRun {
    let jobs = try recipes.enumerated().map { index, recipe in
      TrainingJob(
        name: "d\(index)", recipe: recipe,
        shape: try DictionaryShape(
          checking: .sae, reads: recipe.reads, writes: recipe.writes, width: recipe.width, inputWidth: 16,
          outputWidth: 16), folder: folder.appending(path: "d\(index)"))
    }
    return try TrainingRun(
      jobs, source: source, folder: folder,
      identity: identity,
      backend: NativeBackend(threads: 1), options: .init(checkpointEvery: 1e9, metricsEvery: 3), resumes: resumes,
      communicator: communicator)
  }

  /// Every metrics file without the one number that depends on the clock.
  func metrics() throws -> [String] {
    try recipes.indices.map { index in
      let text = try String(contentsOf: folder.appending(path: "d\(index)/metrics.jsonl"), encoding: .utf8)
      return text.replacing(/"tokens_per_second":[^}]*/, with: "")
    }
  }
}

/// Windows whose rows are changed.
final class ChangedSource: ActivationSource {
  private let source: SyntheticSource
  private let change: (_ window: Int, _ row: [Float]) -> [Float]

  /// - Parameter change: what becomes of a row of the window of a number, counted from the stream's beginning.
  init(_ source: SyntheticSource, change: @escaping (_ window: Int, _ row: [Float]) -> [Float]) {
    self.source = source
    self.change = change
  }

  /// From the second window on, numbers so large that their squares are infinite.
  static func poisoned() -> ChangedSource {
    ChangedSource(SyntheticSource()) { window, row in window == 0 ? row : row.map { $0 * 1e25 } }
  }

  var sites: [Site] { source.sites }
  var widths: [Int] { source.widths }
  var state: StreamState { source.state }
  func restore(_ state: StreamState) throws { try source.restore(state) }

  func nextWindow() throws -> ActivationWindow? {
    guard let window = try source.nextWindow() else { return nil }
    let tensors = try window.tensors.map { tensor in
      let rows = try (0..<window.count).flatMap { change(window.index, try tensor.rows($0..<$0 + 1).read()) }
      return try Tensor(rows, shape: tensor.shape)
    }
    return ActivationWindow(index: window.index, count: window.count, tensors: tensors, tokens: window.tokens)
  }
}
