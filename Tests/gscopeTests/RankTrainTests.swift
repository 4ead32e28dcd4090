import Foundation
import TestSupport
import Testing

/// `mpirun -n R gscope train` and `gscope harvest`, for every MPI that is installed.
@Suite(.serialized) struct RankTrainTests {
  private typealias Tool = CommandLineTool

  /// Processes of a job that write to `output`, the root last where it holds the lock.
  private static func ranks(writing output: URL) -> [Int32] {
    let root = (try? String(contentsOf: output.appending(path: ".lock"), encoding: .utf8))?.split(separator: "\n").first
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    let found = names.compactMap { Int32($0) }.filter { id in
      guard let line = try? String(contentsOfFile: "/proc/\(id)/cmdline", encoding: .utf8) else { return false }
      let words = line.split(separator: "\0").map(String.init)
      return words.first == Tool.binary?.path && words.contains(output.path)
    }
    return found.filter { "\($0)" != root } + found.filter { "\($0)" == root }
  }

  /// The processes of a job once it has written a checkpoint.
  private static func afterACheckpoint(_ job: RankJobs, _ output: URL, ranks: Int) throws -> [Int32] {
    let manifest = output.appending(path: "checkpoint/manifest.json")
    let start = Date()
    let before = try? Data(contentsOf: manifest)
    while job.process.isRunning, Date().timeIntervalSince(start) < 60 {
      if let now = try? Data(contentsOf: manifest), now != before { break }
      usleep(10_000)
    }
    let found = Self.ranks(writing: output)
    #expect(found.count == ranks, "\(job.errorText)")
    return found
  }

  private static func card(_ output: URL) throws -> [String: Any] {
    let data = try Data(contentsOf: output.appending(path: "training.json"))
    let json = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    return try #require(json["card"] as? [String: Any])
  }

  /// Lines of this program, not of the launcher.
  private static func messages(_ job: RankJobs) -> [String] {
    job.errorText.split(separator: "\n").filter { $0.hasPrefix("gscope: ") }.map(String.init)
  }

  @Test(arguments: RankLauncher.all) func ranksTrainWhatOneTrains(launcher: RankLauncher) throws {
    let place = try TrainingPlace()
    #expect(try Tool.run(try place.train("one")).status == 0)
    for name in ["two", "again"] {
      let job = try RankJobs(launcher, ranks: 2, try place.train(name, ["--json"]))
      job.process.waitUntilExit()
      #expect(job.process.terminationStatus == 0, "\(job.errorText)")
      #expect(try JSONSerialization.jsonObject(with: Data(job.text.utf8)) is [String: Any], "one report: \(job.text)")
      #expect(Self.messages(job).allSatisfy { $0.contains("step") }, "\(job.errorText)")
    }
    #expect(try place.files("two") == place.files("again"))
    let (one, two) = (try Self.card(place.url("one")), try Self.card(place.url("two")))
    for key in ["fvu", "l0"] {
      let (a, b) = (try #require(one[key] as? Double), try #require(two[key] as? Double))
      #expect(abs(a - b) <= 0.01 * a, "\(key): \(a), \(b)")
    }
    let lines = try ["one", "two"].map {
      try String(contentsOf: place.url("\($0)/metrics.jsonl"), encoding: .utf8).split(separator: "\n").count
    }
    #expect(lines[0] == lines[1])
    // Finished: said once.
    let finished = try RankJobs(launcher, ranks: 2, try place.train("two", ["--resume"]))
    finished.process.waitUntilExit()
    #expect(finished.process.terminationStatus == 0)
    #expect(finished.text.split(separator: "\n").count == 1, "\(finished.text)")
  }

  /// A rank is killed, then the root of the job that goes on with another number of ranks; one process finishes.
  @Test(arguments: RankLauncher.all) func aLostRankEndsTheJobWhichGoesOnWithOthers(launcher: RankLauncher) throws {
    let place = try TrainingPlace()
    let recipe = TrainingPlace.recipe.replacing("12000", with: "200000")
    let output = place.url("killed")
    for (ranks, killsRoot) in [(2, false), (3, true)] {
      let job = try RankJobs(
        launcher, ranks: ranks, try place.train("killed", recipe: recipe, ["--resume", "--checkpoint-every", "0.0005"]))
      let processes = try Self.afterACheckpoint(job, output, ranks: ranks)
      let victim = try #require(killsRoot ? processes.last : processes.first)
      kill(victim, SIGKILL)
      let start = Date()
      job.process.waitUntilExit()
      #expect(Date().timeIntervalSince(start) < 30, "the others hung")
      #expect(job.process.terminationStatus != 0, "the job was over before it could be killed")
      if launcher.isOpenMPI {
        let errors = Self.messages(job).filter { $0.contains("error") }
        #expect(errors.count == 1 && errors[0].contains("lost rank"), "\(job.errorText)")
      }
      #expect(FileManager.default.fileExists(atPath: output.appending(path: "checkpoint/manifest.json").path))
    }
    let last = try Tool.run(try place.train("killed", recipe: recipe, ["--resume"]))
    #expect(last.status == 0 && last.errors.contains("going on after step"), "\(last.errors)")
    #expect(try Tool.run(try place.train("whole", recipe: recipe)).status == 0)
    let (whole, killed) = (try Self.card(place.url("whole")), try Self.card(output))
    let (a, b) = (try #require(whole["fvu"] as? Double), try #require(killed["fvu"] as? Double))
    #expect(abs(a - b) <= 0.01 * a, "\(a), \(b)")
    #expect(try Set(place.files("killed").keys) == Set(place.files("whole").keys))
  }

  /// One rank is told to stop: all do, at the same step, with a checkpoint.
  @Test(arguments: RankLauncher.all) func anInterruptionOfOneStopsAll(launcher: RankLauncher) throws {
    let place = try TrainingPlace()
    let recipe = TrainingPlace.recipe.replacing("12000", with: "100000000")
    let output = place.url("sae")
    let job = try RankJobs(
      launcher, ranks: 2, try place.train("sae", recipe: recipe, ["--checkpoint-every", "0.002"]))
    let processes = try Self.afterACheckpoint(job, output, ranks: 2)
    kill(try #require(processes.first), SIGINT)
    job.process.waitUntilExit()
    #expect(job.process.terminationStatus == 130, "\(job.errorText)")
    let messages = Self.messages(job)
    #expect(messages.filter { $0.contains("--resume goes on there") }.count == 1, "\(job.errorText)")
    #expect(messages.filter { $0.hasSuffix("interrupted") }.count == 1, "\(job.errorText)")
    #expect(try Set(FileManager.default.contentsOfDirectory(atPath: output.path)) == ["checkpoint", "metrics.jsonl"])
    let files = try FileManager.default.contentsOfDirectory(atPath: output.appending(path: "checkpoint").path)
    // A manifest and two slices, and those of the checkpoint before.
    #expect([3, 6].contains(files.count), "\(files)")
  }

  /// A limit on the size of one rank's files stands in for a full disk.
  @Test(arguments: RankLauncher.all) func aFullDiskOfOneRankIsToldOnce(launcher: RankLauncher) throws {
    let prlimit = URL(filePath: "/usr/bin/prlimit")
    guard FileManager.default.isExecutableFile(atPath: prlimit.path) else { return }
    let place = try TrainingPlace()
    let output = place.url("sae")
    let job = try RankJobs(
      launcher, ranks: 2,
      try place.train(
        "sae", recipe: TrainingPlace.recipe.replacing("12000", with: "90000000"), ["--checkpoint-every", "0.002"]),
      shell: "trap '' XFSZ")
    let processes = try Self.afterACheckpoint(job, output, ranks: 2)
    let limit = Process()
    limit.executableURL = prlimit
    limit.arguments = ["--pid", "\(try #require(processes.first))", "--fsize=4096"]
    try limit.run()
    job.process.waitUntilExit()
    #expect(job.process.terminationStatus == 1, "\(job.errorText)")
    let errors = Self.messages(job).filter { $0.contains("error") }
    #expect(errors.count == 1 && errors[0].contains("rank 1 of 2: "), "\(job.errorText)")
    let manifest = try Data(contentsOf: output.appending(path: "checkpoint/manifest.json"))
    let earlier = (try? Data(contentsOf: output.appending(path: "checkpoint/earlier.json"))) ?? Data()
    let text = String(decoding: manifest + earlier, as: UTF8.self)
    let files = try FileManager.default.contentsOfDirectory(atPath: output.appending(path: "checkpoint").path)
    #expect([3, 6].contains(files.count), "\(files)")
    #expect(files.allSatisfy { $0.hasSuffix(".json") || text.contains($0) }, "\(files)")
  }

  @Test(arguments: RankLauncher.all) func mistakesAreToldOnce(launcher: RankLauncher) throws {
    let place = try TrainingPlace()
    let wide = TrainingPlace.recipe.replacing("resid_post.2", with: "resid_post.9")
    let short = TrainingPlace.recipe.replacing("\"width\":48", with: "\"wide\":48")
    for (recipe, text) in [(wide, "resid_post.9"), (short, "'wide'")] {
      let job = try RankJobs(launcher, ranks: 2, try place.train("sae", recipe: recipe))
      job.process.waitUntilExit()
      #expect(job.process.terminationStatus == 1)
      let messages = Self.messages(job)
      #expect(messages.count == 1 && messages[0].contains(text), "\(job.errorText)")
    }
  }

  /// Each rank harvests a share, with the files that as many jobs with `--shard` make; training reads them.
  @Test(arguments: RankLauncher.all) func harvestsAreShared(launcher: RankLauncher) throws {
    let place = try TrainingPlace()
    func arguments(_ name: String, _ more: String...) -> [String] {
      [
        "harvest", "--model", Tool.model, "--corpus", place.corpus, "--site", "resid_post.2", "--context", "64",
        "--batch", "2", "--tokens", "3000", "--output", place.url(name).path,
      ] + more
    }
    for shard in ["0/2", "1/2"] { #expect(try Tool.run(arguments("jobs", "--shard", shard)).status == 0) }
    let job = try RankJobs(launcher, ranks: 2, arguments("ranks", "--json"))
    job.process.waitUntilExit()
    #expect(job.process.terminationStatus == 0, "\(job.errorText)")
    let summary = try #require(try JSONSerialization.jsonObject(with: Data(job.text.utf8)) as? [String: Any])
    #expect(summary["rows"] as? Int == 3000 && summary["output"] as? String == place.url("ranks").path)
    for shard in ["shard-0-of-2", "shard-1-of-2"] {
      #expect(try place.files("ranks/\(shard)") == place.files("jobs/\(shard)"))
    }
    let both = try RankJobs(launcher, ranks: 2, arguments("both", "--shard", "0/2"))
    both.process.waitUntilExit()
    #expect(both.process.terminationStatus != 0 && both.errorText.contains("--shard"), "\(both.errorText)")
    let recipe = try place.directory.write(Array(TrainingPlace.recipe.utf8), as: "store.json").path
    let trained = try RankJobs(
      launcher, ranks: 2,
      [
        "train", "--model", Tool.model, "--recipe", recipe, "--store", place.url("ranks").path, "--heldout",
        place.heldOut, "--heldout-tokens", "400", "--loss-tokens", "0", "--output", place.url("sae").path,
      ])
    trained.process.waitUntilExit()
    #expect(trained.process.terminationStatus == 0, "\(trained.errorText)")
    #expect(try #require(try Self.card(place.url("sae"))["fvu"] as? Double) < 0.9)
  }
}
