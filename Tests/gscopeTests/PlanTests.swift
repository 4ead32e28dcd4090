import Foundation
import TestSupport
import Testing

@Suite struct PlanCommandTests {
  private typealias Tool = CommandLineTool

  @Test func thePublishedGrid() throws {
    let result = try Tool.run(["plan", "--published", "--machine", "8xh100", "--json"])
    #expect(result.status == 0, "\(result.errors)")
    let json = try result.json()
    #expect(json["schema"] as? Int == 1)
    #expect(json["dictionaries"] as? Int == 9592)
    #expect(json["parameters"] as? Int == 9_674_526_132_224)
    let implied = try #require(json["implied_tokens"] as? [[String: Any]])
    #expect(implied.count == 4)
    #expect((json["models"] as? [Any])?.count == 5)
    let text = try Tool.run(["plan", "--published", "--model", "27b"])
    #expect(text.output.contains("4,474,175,078,400"), "\(text.output)\(text.errors)")
  }

  @Test func aGridOnAModelAtHand() throws {
    let result = try Tool.run([
      "plan", "--model", Tool.model, "--kind", "sae,transcoder", "--site", "resid_post,attn_out", "--layers", "all",
      "--width", "64,128", "--l0", "4", "--tokens", "2M", "--nodes", "2", "--cores", "8", "--json",
    ])
    #expect(result.status == 0, "\(result.errors)")
    let json = try result.json()
    let layers = try #require((json["model"] as? [String: Any])?["layers"] as? Int)
    #expect(json["count"] as? Int == layers * 2 * 3)
    #expect(json["tokens"] as? Double == 2e6)
    #expect((json["machine"] as? [String: Any])?["ranks"] as? Int == 2)
    #expect((json["store"] as? [Any])?.count == 3)
  }

  /// Rates of this machine are measured unless a flag gives them; then nothing of the machine but its cores and memory shows.
  @Test func ratesOfThisMachine() throws {
    func machine(_ arguments: String...) throws -> [String: Any] {
      let result = try Tool.run(
        ["plan", "--model", "270m", "--json"] + arguments, environment: ["GSCOPE_THREADS": "2"])
      #expect(result.status == 0, "\(result.errors)")
      return try #require(try result.json()["machine"] as? [String: Any])
    }
    func number(_ machine: [String: Any], _ key: String) throws -> Double { try #require(machine[key] as? Double) }

    let measured = try machine()
    #expect(measured["measured"] as? [String] == ["flops", "bandwidth"])
    #expect(try number(measured, "product_share") == 1)
    #expect(try number(measured, "flops") > 1e8 && number(measured, "bandwidth") > 1e8)

    let given = try machine("--gflops", "50", "--bandwidth", "30")
    #expect(given["measured"] as? [String] == [])
    #expect(try number(given, "flops") == 1e11 && number(given, "bandwidth") == 3e10)
    #expect(try number(given, "product_share") == 0.8)

    let half = try machine("--cores", "8", "--gflops", "50")
    #expect(half["measured"] as? [String] == ["bandwidth"])
    #expect(try number(half, "flops") == 4e11)

    let known = try machine("--machine", "laptop")
    #expect(known["measured"] as? [String] == [])
    #expect(try number(known, "flops") == 5.12e11)
    #expect(try machine("--machine", "laptop", "--cores", "4")["flops"] as? Double == 2.56e11)
    #expect(try machine("--gpus", "2")["measured"] as? [String] == [])
  }

  @Test func textNamesWhatWasMeasured() throws {
    let measured = try Tool.run(["plan", "--model", "270m"])
    #expect(measured.output.contains("GF/s fp32 (measured)"), "\(measured.output)\(measured.errors)")
    let given = try Tool.run(["plan", "--model", "270m", "--gflops", "50", "--bandwidth", "30"])
    #expect(given.status == 0 && !given.output.contains("measured"), "\(given.output)\(given.errors)")
  }

  @Test(arguments: [
    [], ["--model", "4b", "--kind", "vae"], ["--model", "4b", "--layers", "34"], ["--model", "4b", "--tokens", "-1"],
    ["--model", "4b", "--gpus", "2", "--nodes", "2"], ["--model", "4b", "--machine", "cray"],
    ["--published", "--width", "16k"], ["--model", "4b", "--l0", "0"], ["--model", "4b", "--memory", "nan"],
  ])
  func wrongUsage(arguments: [String]) throws {
    let result = try Tool.run(["plan"] + arguments)
    #expect(result.status == 2, "\(result.output)\(result.errors)")
  }
}
