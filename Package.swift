// swift-tools-version: 6.2
import PackageDescription

/// Settings every Swift target shares: strict concurrency and imports that never leak a dependency by accident.
let swiftSettings: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
]

func library(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: swiftSettings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .testTarget(
    name: name, dependencies: dependencies + ["TestSupport"], swiftSettings: swiftSettings)
}

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")

// A target imports only those above it.
var targets: [Target] = [
  .target(name: "CKernels", publicHeadersPath: "include", cSettings: [.headerSearchPath(".")]),
  library("Tensors", ["CKernels"]),
  .systemLibrary(name: "CZlib", providers: [.apt(["zlib1g-dev"])]),
  library("Checkpoints", ["CZlib", "Tensors"]),
  library("Tokenization", ["Tensors", "Checkpoints"]),
  library("Sites", []),
  library("Dictionaries", ["Tensors", "Checkpoints", "Sites"]),
  library("Gemma", ["Tensors", "Checkpoints", "Tokenization", "Sites", "Dictionaries"]),
  .target(name: "CMPI", linkerSettings: [.linkedLibrary("dl", .when(platforms: [.linux]))]),
  library("Collectives", ["CMPI"]),
  library("Activations", ["Tensors", "Checkpoints", "Tokenization", "Sites", "Gemma", "Collectives"]),
  library("Plots", []),
  library(
    "Training",
    ["Tensors", "Checkpoints", "Sites", "Dictionaries", "Gemma", "Activations", "Collectives", "Plots"]),
  library(
    "Evaluation", ["Tensors", "Checkpoints", "Tokenization", "Sites", "Dictionaries", "Gemma", "Activations"]),
  library(
    "Atlas", ["Tensors", "Checkpoints", "Tokenization", "Sites", "Dictionaries", "Gemma", "Activations", grdb]),
  .executableTarget(
    name: "gscope",
    dependencies: [
      "Tensors", "Checkpoints", "Tokenization", "Sites", "Dictionaries", "Gemma", "Activations", "Collectives",
      "Plots", "Training", "Evaluation", "Atlas", argumentParser, logging,
    ],
    swiftSettings: swiftSettings),
  .executableTarget(
    name: "gscope-bench",
    dependencies: [
      "CKernels", "Tensors", "Checkpoints", "Tokenization", "Sites", "Dictionaries", "Gemma", "Training",
      argumentParser,
    ],
    swiftSettings: swiftSettings),

  .target(
    name: "TestSupport", dependencies: ["Tensors", "Checkpoints"], path: "Tests/TestSupport",
    swiftSettings: swiftSettings),
  tests("CKernelsTests", ["CKernels"]),
  tests("TensorsTests", ["CKernels", "Tensors"]),
  tests("CheckpointsTests", ["Tensors", "Checkpoints"]),
  tests("TokenizationTests", ["Tensors", "Checkpoints", "Tokenization"]),
  tests("SitesTests", ["Sites"]),
  tests("DictionariesTests", ["Tensors", "Checkpoints", "Sites", "Dictionaries"]),
  tests("GemmaTests", ["Tensors", "Checkpoints", "Tokenization", "Sites", "Dictionaries", "Gemma"]),
  tests("CollectivesTests", ["Collectives"]),
  tests(
    "ActivationsTests", ["Tensors", "Checkpoints", "Tokenization", "Sites", "Gemma", "Collectives", "Activations"]),
  tests("PlotsTests", ["Plots"]),
  tests(
    "TrainingTests",
    [
      "Tensors", "Checkpoints", "Tokenization", "Sites", "Dictionaries", "Gemma", "Activations", "Collectives",
      "Training",
    ]),
  tests(
    "EvaluationTests",
    [
      "Tensors", "Checkpoints", "Tokenization", "Sites", "Dictionaries", "Gemma", "Activations", "Evaluation",
    ]),
  tests(
    "AtlasTests",
    ["Tensors", "Checkpoints", "Tokenization", "Sites", "Dictionaries", "Gemma", "Activations", "Atlas", grdb]),
  tests("gscopeTests", ["gscope", "Tensors", "Checkpoints", "Sites", "Dictionaries", "Gemma", "Evaluation"]),
]

// libFuzzer executables need `--sanitize fuzzer` and have no `main`, so they exist only when asked for (`make fuzz`).
if Context.environment["GSCOPE_FUZZ"] != nil {
  let readers = [
    "FuzzSafetensors", "FuzzGGUF", "FuzzNPZ", "FuzzGzip", "FuzzTokenizer", "FuzzConfiguration", "FuzzDictionary",
    "FuzzRecipe", "FuzzExamples", "FuzzPacked",
  ]
  for name in readers {
    targets.append(
      .executableTarget(
        name: name,
        dependencies: [
          "Tensors", "Checkpoints", "Tokenization", "Sites", "Dictionaries", "Gemma", "Training", "Atlas",
        ],
        path: "Fuzz/\(name)", exclude: ["Seeds"],
        swiftSettings: swiftSettings + [.unsafeFlags(["-parse-as-library"])]))
  }
}

let package = Package(
  name: "gemmascope",
  platforms: [.macOS(.v15)],
  products: [
    .executable(name: "gscope", targets: ["gscope"]),
    .library(
      name: "GemmaScope",
      targets: [
        "Tensors", "Checkpoints", "Tokenization", "Sites", "Dictionaries", "Gemma", "Collectives", "Activations",
        "Plots", "Training", "Evaluation",
      ]),
    // Apart, because it needs the system's SQLite.
    .library(name: "GemmaScopeAtlas", targets: ["Atlas"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
  ],
  targets: targets
)
