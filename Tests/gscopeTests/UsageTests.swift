import Foundation
import TestSupport
import Testing

@Suite struct UsageTests {
  private typealias Tool = CommandLineTool

  @Test func versionAndHelp() throws {
    let version = try Tool.run(["--version"])
    #expect(version.status == 0)
    #expect(version.output.split(separator: ".").count == 3)
    for command in [
      "info", "verify", "convert", "tokenize", "logits", "lens", "activations", "harvest", "features", "generate",
      "intervene", "plan",
      "doctor",
    ] {
      let help = try Tool.run([command, "--help"])
      #expect(help.status == 0)
      #expect(help.output.contains("Example: gscope \(command)"), "\(command)")
      #expect(help.errors.isEmpty)
    }
  }

  @Test(arguments: ["bash", "zsh", "fish"]) func completionScripts(shell: String) throws {
    let script = try Tool.run(["--generate-completion-script", shell])
    #expect(script.status == 0)
    #expect(script.output.contains("activations"))
  }

  @Test(arguments: [
    (["logits"], "--text"),
    (["logits", "--text", "a", "--tokens", "2"], "--text and --tokens"),
    (["logits", "--text", ""], "--text is empty"),
    (["logits", "--tokens", "2,x"], "'x' is no token id"),
    (["logits", "--tokens", ""], "--tokens is empty"),
    (["logits", "--text", "a", "--top-k", "-1"], "--top-k"),
    (["logits", "--text", "a", "--positions", "first"], "--positions"),
    (["logits", "--text", "a", "--device", "tpu"], "--device"),
    (["lens", "--text", "a", "--top-k", "0"], "--top-k"),
    (["activations", "--text", "a", "--save", "x"], "--site"),
    (["activations", "--text", "a", "--site", "resid_pot.3", "--save", "x"], "resid_post.3"),
    (["activations", "--text", "a", "--site", "resid_post.3"], "--save"),
    (["features", "--text", "a"], "--dictionary"),
    (["features", "--text", "a", "--dictionary", "a=x", "--dictionary", "a=y"], "'a'"),
    (["features", "--text", "a", "--dictionary", "x", "--reconstruction"], "--reconstruction"),
    (["generate", "--text", "a", "--temperature", "-1"], "--temperature"),
    (["generate", "--text", "a", "--top-p", "0"], "--top-p"),
    (["intervene", "--text", "a"], "--steer"),
    (["intervene", "--text", "a", "--steer", "d#b=1"], "'b' is no feature"),
    (["generate", "--text", "a", "--dictionary", "d=x", "--steer", "d=1"], "--steer: steering 'd=1'"),
    (["logits", "--text", "a", "--save", ""], "--save"),
    (["activations", "--text", "a", "--site", "embed", "--save", ""], "--save"),
    (["features", "--text", "a", "--dictionary", "x", "--save", ""], "--save"),
    (["info", "x", "--at", "resid_pot.3"], "--at"),
    (["frobnicate"], "frobnicate"),
  ])
  func wrongUsageIsStatusTwo(arguments: [String], mention: String) throws {
    let result = try Tool.run(arguments)
    #expect(result.status == 2)
    #expect(result.errors.hasPrefix("gscope: error: "), "\(result.errors)")
    #expect(result.errors.contains(mention), "\(result.errors)")
    #expect(result.output.isEmpty)
  }

  @Test(arguments: [("GSCOPE_THREADS", "many"), ("GSCOPE_THREADS", "0"), ("GSCOPE_ISA", "mmx")])
  func wrongEnvironmentIsStatusTwo(name: String, value: String) throws {
    let result = try Tool.run(["logits", "--model", Tool.model, "--tokens", "2,5"], environment: [name: value])
    #expect(result.status == 2)
    #expect(result.errors.contains("\(name) is '\(value)'"))
  }

  @Test(arguments: [["--device", "cuda:1"], ["--device", "mps"], ["--torch", "/x"], ["--adapter", "/x"]])
  func whatThisVersionLacks(arguments: [String]) throws {
    let result = try Tool.run(["logits", "--model", Tool.model, "--tokens", "2,5"] + arguments)
    #expect(result.status == 1)
    #expect(result.errors.hasPrefix("gscope: error: \(arguments[0])"))
    #expect(result.errors.contains("not available in this version"))
  }

  @Test func sameNumbersOnEveryInstructionSetWithinRounding() throws {
    func logprob(_ isa: String) throws -> Double {
      let result = try Tool.run(
        ["logits", "--model", Tool.model, "--tokens", "2,5,7", "--json"], environment: ["GSCOPE_ISA": isa])
      try #require(result.status == 0, "\(isa): \(result.errors)")
      return try #require(try result.json()["loss"] as? Double)
    }
    let scalar = try logprob("scalar")
    let checks = try #require(try Tool.run(["doctor", "--json"]).json()["checks"] as? [[String: Any]])
    let processor = try #require(checks.first { $0["name"] as? String == "processor" }?["finding"] as? String)
    try #require(processor.contains("can run scalar") || processor.contains(", scalar"))
    for isa in ["avx2", "avx512", "neon"] where processor.contains(isa) {
      #expect(abs(try logprob(isa) - scalar) < 1e-4)
    }
  }
}
