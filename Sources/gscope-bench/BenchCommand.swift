import ArgumentParser
import Foundation

/// Measures gscope's side of the comparison in docs/benchmarks.md; Tools/bench.py runs it beside the peers.
@main
struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "gscope-bench",
    abstract: "Measure gscope and print one JSON object.",
    subcommands: [
      GemmBench.self, BandwidthBench.self, LoadBench.self, PrefillBench.self, DecodeBench.self, HarvestBench.self,
      TokenizeBench.self, DictionaryBench.self, TrainBench.self,
    ])
}

/// What every measurement takes.
struct BenchOptions: ParsableArguments {
  @Option(help: "Threads (all available cores when left out).")
  var threads: Int?

  @Option(help: "Timed runs; the median counts.")
  var repeats = 5

  /// Prints `values` and the peak memory as one line of JSON.
  func report(_ values: [String: Double]) throws {
    var all = values
    all["peak_bytes"] = Double(Measure.peakMemory)
    let data = try JSONSerialization.data(withJSONObject: all, options: [.sortedKeys])
    print(String(decoding: data, as: UTF8.self))
  }
}
