import Evaluation
import Foundation
import TestSupport
import Testing

/// `gscope evaluate --task absorption` on words whose first letter is planted.
@Suite struct EvaluateAbsorptionTests {
  private typealias Tool = CommandLineTool

  private func evaluate(_ made: LetterModel, _ more: [String]) throws -> Tool.Result {
    let text = (0..<40).map { "word\($0)" }.joined(separator: " ")
    let corpus = try made.directory.write(Array(text.utf8), as: "text.txt")
    return try Tool.run(
      [
        "evaluate", "--model", made.model, "--dictionary", "letters=\(made.dictionary)", "--corpus", corpus.path,
        "--context", "32", "--tokens", "64", "--splice", "none", "--task", "absorption", "--words", "20",
      ] + more)
  }

  private func value(_ json: Any?) -> Double? { (json as? [String: Any])?["value"] as? Double }

  @Test func plantedLettersAreFound() throws {
    let made = try LetterModel()
    let output = made.directory.url.appending(path: "out")
    let result = try evaluate(made, ["--json", "--output", output.path])
    #expect(result.status == 0, "\(result.errors)")
    let json = try result.json()
    #expect((json["unfinished_tasks"] as? [Any])?.isEmpty == true)
    let task = try #require((json["tasks"] as? [String: [[String: Any]]])?["absorption"]?.first)
    #expect(task["scaling"] as? String == "centred" && task["epochs"] as? Int == 200)
    #expect(task["words_per_letter"] as? Int == 20 && task["l1_batch"] as? Int == (416 + 27) / 28)
    let probes = try #require(task["probes"] as? [[String: Any]])
    #expect(probes.map { $0["letter"] as? String } == FirstLetterConstants.letters.map { "\($0)" })
    #expect(probes.reduce(0) { $0 + ($1["test_words"] as? Int ?? 0) } == 104)
    for probe in probes where probe["test_words"] as? Int ?? 0 > 0 {
      let dense = try #require(probe["dense"] as? [String: Any])
      #expect(Set(dense.keys) == ["f1", "precision", "recall", "auc"])
      #expect(dense["auc"] as? Double ?? 0 > 0.99, "\(probe)")
    }
    // Feature l is the letter's own, and nothing takes words from it.
    #expect(task["applicable"] as? Bool == true)
    let letters = try #require(task["letters"] as? [[String: Any]])
    #expect(letters.count >= FirstLetterConstants.leastLetters)
    for letter in letters where letter["words"] as? Int ?? 0 > 0 {
      #expect(letter["split_features"] as? Int == 1 && letter["full"] as? Double == 0, "\(letter)")
      #expect(letter["fraction"] as? Double == 0, "\(letter)")
    }
    for (index, probe) in probes.enumerated() where probe["test_words"] as? Int ?? 0 > 0 {
      #expect(probe["split_features"] as? [Int] == [index])
    }
    #expect(value((task["fraction"] as? [String: Any])?["mean"]) == 0)
    #expect(value(task["split_features"]) == 1)
    let norms = task["decoder_norms"] as? [String: Double]
    #expect(norms == ["least": Double(LetterModel.decoderLength), "most": Double(LetterModel.decoderLength)])
    let page = try String(contentsOf: output.appending(path: "report.html"), encoding: .utf8)
    #expect(page.contains("First letters") && !page.contains("Not finished"))
  }

  @Test(arguments: [
    (["--as-published"], "none", 50, 4096), (["--as-published", "--letter-scaling", "unit"], "unit", 50, 4096),
    (["--letter-scaling", "none"], "none", 200, 15),
  ])
  func settingsAreSAEBenchsWhenAskedFor(_ flags: [String], _ scaling: String, _ epochs: Int, _ batch: Int) throws {
    let result = try evaluate(LetterModel(), flags + ["--json"])
    #expect(result.status == 0, "\(result.errors)")
    let task = try #require((try result.json()["tasks"] as? [String: [[String: Any]]])?["absorption"]?.first)
    #expect(task["scaling"] as? String == scaling && task["epochs"] as? Int == epochs)
    #expect(task["l1_batch"] as? Int == batch)
  }

  @Test func mistakesAreNamed() throws {
    let made = try LetterModel()
    let scaling = try evaluate(made, ["--letter-scaling", "half"])
    #expect(scaling.status == 2 && scaling.errors.contains("none, unit, centred"))
    // Ten examples of a part need eleven words of it.
    let output = made.directory.url.appending(path: "out")
    let few = try evaluate(made, ["--words", "1", "--output", output.path])
    #expect(few.status == 1 && few.errors.contains("words"), "\(few.errors)")
    #expect(!FileManager.default.fileExists(atPath: output.appending(path: "evaluation.json").path))
  }
}
