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
        "version", "processor", "threads", "memory", "cache", "torch", "sqlite", "self test", "bandwidth", "model",
        "tokenizer",
      ])
    let sqlite = try #require(checks.first { $0["name"] as? String == "sqlite" }?["finding"] as? String)
    #expect(sqlite.wholeMatch(of: /3\.\d+\.\d+ with FTS5/) != nil, "\(sqlite)")
  }

  @Test func aModelThatDoesNotOpenFails() throws {
    let result = try Tool.run(["doctor", "--model", "/nowhere/at/all"])
    #expect(result.status == 1)
    #expect(result.output.contains("fail model"))
    #expect(result.errors.contains("model failed"))
  }

  @Test(arguments: [("GSCOPE_THREADS", "0"), ("GSCOPE_ISA", "mmx")])
  func aWrongEnvironmentIsAFinding(name: String, value: String) throws {
    let result = try Tool.run(["doctor", "--model", Tool.model, "--json"], environment: [name: value])
    #expect(result.status == 1)
    let checks = try #require(try result.json()["checks"] as? [[String: Any]])
    let failed = checks.filter { $0["status"] as? String == "failed" }
    #expect(failed.first?["name"] as? String == (name == "GSCOPE_ISA" ? "processor" : "threads"))
    #expect(failed.allSatisfy { ($0["finding"] as? String)?.contains("\(name) is '\(value)'") == true })
  }

  @Test func noModelIsAWarning() throws {
    let result = try Tool.run(["doctor"])
    #expect(result.status == 0)
    #expect(result.output.contains("warn model"))
    #expect(result.output.contains("make demo"))
  }
}
