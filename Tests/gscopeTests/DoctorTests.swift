import Foundation
import Testing

@Suite struct DoctorTests {
  private typealias Tool = CommandLineTool

  @Test func everythingIsChecked() throws {
    let result = try Tool.run(["doctor", "--model", Tool.model, "--json"])
    #expect(result.status == 0, "\(result.errors)\(result.output)")
    let json = try result.json()
    #expect(json["ok"] as? Bool == true)
    let checks = try #require(json["checks"] as? [[String: Any]])
    #expect(
      checks.compactMap { $0["name"] as? String } == [
        "version", "processor", "threads", "memory", "cache", "torch", "self test", "bandwidth", "model", "tokenizer",
      ])
  }

  @Test func aModelThatDoesNotOpenFails() throws {
    let result = try Tool.run(["doctor", "--model", "/nowhere/at/all"])
    #expect(result.status == 1)
    #expect(result.output.contains("fail model"))
    #expect(result.errors.contains("model failed"))
  }

  @Test func noModelIsAWarning() throws {
    let result = try Tool.run(["doctor"])
    #expect(result.status == 0)
    #expect(result.output.contains("warn model"))
    #expect(result.output.contains("make demo"))
  }
}
