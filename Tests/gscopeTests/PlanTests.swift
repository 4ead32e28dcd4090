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
