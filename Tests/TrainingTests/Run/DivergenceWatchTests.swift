import Foundation
import Testing
import Training

/// Runs that end by finite losses: as a run of JumpReLU at 4e-3 on Gemma 3 270M did, and as healthy ones do not.
@Suite struct DivergenceWatchTests {
  /// The step at which the watch speaks, counted from 0, and what it says.
  private func verdict(_ steps: [(fvu: Double, dead: Double)]) -> (step: Int, text: String)? {
    var watch = DivergenceWatch()
    for (step, figures) in steps.enumerated() {
      if let text = watch.note(fvu: figures.fvu, dead: figures.dead) { return (step, text) }
    }
    return nil
  }

  private func constant(_ fvu: Double, dead: Double = 0, count: Int) -> [(fvu: Double, dead: Double)] {
    Array(repeating: (fvu, dead), count: count)
  }

  @Test func fvuThatIsLostEndsARun() throws {
    let learning = (0..<200).map { (fvu: max(0.12, 1.5 - 0.02 * Double($0)), dead: 0.04) }
    let (step, text) = try #require(verdict(learning + constant(8, dead: 0.04, count: 50)))
    // The sixth step at 8 makes it the median of eleven.
    #expect(step == 205)
    #expect(text.contains("FVU 800.0 % after 12.0 %") && text.contains("dead 4.0 %"), "\(text)")
  }

  @Test func featuresThatDieEndARun() throws {
    let dying =
      constant(0.12, count: 100) + constant(0.2, dead: 0.99, count: 20) + constant(0.55, dead: 0.99, count: 20)
    let (step, _) = try #require(verdict(dying))
    #expect((120..<140).contains(step))
  }

  @Test func healthyRunsGoOn() {
    #expect(verdict(constant(30, count: 100)) == nil, "never learned anything: the loss's own limit is for that")
    #expect(
      verdict(constant(0.12, count: 50) + constant(80, count: 5) + constant(0.12, count: 50)) == nil, "odd batches")
    #expect(verdict(constant(0.3, dead: 0.97, count: 200)) == nil, "many dead features from the start")
    #expect(verdict(constant(0.02, count: 50) + constant(0.4, dead: 0.2, count: 50)) == nil, "a harder window")
    #expect(verdict([]) == nil)
  }

  /// A start may lose far more than predicting nothing; what counts is how that grows.
  @Test func theLimitFollowsTheFirstStep() throws {
    var watch = DivergenceWatch()
    #expect(watch.limit(reconstruction: 139, nothing: 1) == 13_900)
    #expect(watch.limit(reconstruction: 20_000, nothing: 1) == 13_900)
    var restored = try JSONDecoder().decode(DivergenceWatch.self, from: JSONEncoder().encode(watch))
    #expect(restored.limit(reconstruction: 0.1, nothing: 1) == 13_900)
    var ordinary = DivergenceWatch()
    #expect(ordinary.limit(reconstruction: .nan, nothing: 4) == 400)
    #expect(ordinary.limit(reconstruction: 0.5, nothing: 4) == 400)
    // A checkpoint of a version that did not note it.
    var old = try JSONDecoder().decode(DivergenceWatch.self, from: Data("{\"recent\":[0.1],\"best\":0.1}".utf8))
    #expect(old.limit(reconstruction: 0.5, nothing: 1) == 100)
  }

  @Test func healthIsToBeAsGoodAsEver() {
    var watch = DivergenceWatch()
    #expect(watch.isHealthy)
    for _ in 0..<50 { _ = watch.note(fvu: 0.1, dead: 0) }
    for _ in 0..<5 { _ = watch.note(fvu: 0.4, dead: 0) }
    #expect(watch.isHealthy, "odd batches")
    _ = watch.note(fvu: 0.4, dead: 0)
    #expect(!watch.isHealthy)
    for _ in 0..<11 { _ = watch.note(fvu: 0.15, dead: 0) }
    #expect(watch.isHealthy)
  }

  @Test func aWatchGoesOnWhereItWasSaved() throws {
    var watch = DivergenceWatch()
    for _ in 0..<50 { _ = watch.note(fvu: 0.1, dead: 0) }
    var restored = try JSONDecoder().decode(DivergenceWatch.self, from: JSONEncoder().encode(watch))
    #expect(restored == watch)
    let verdicts = (0..<6).map { _ in restored.note(fvu: 2, dead: 0) }
    #expect(verdicts.first == .some(nil) && verdicts.last != .some(nil))
  }
}
