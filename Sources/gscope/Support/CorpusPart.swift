import Activations
import ArgumentParser

/// Which documents of a corpus are read.
struct CorpusPart: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Which documents: all, training, or held-out (one in 50, chosen by their own bytes).", valueName: "part"),
    transform: { try Choice.parse($0, "--part") })
  var part = CorpusOptions.Part.all
}
