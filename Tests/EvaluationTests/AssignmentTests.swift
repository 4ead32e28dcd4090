import Checkpoints
import Evaluation
import Foundation
import TestSupport
import Tensors
import Testing

@Suite struct AssignmentTests {
  /// The heaviest of all matchings, by trying them all; the shorter side must be rows.
  private func heaviest(_ weights: [[Double]], row: Int = 0, taken: Set<Int> = []) -> Double {
    guard row < weights.count else { return 0 }
    return weights[row].indices.filter { !taken.contains($0) }.map {
      weights[row][$0] + heaviest(weights, row: row + 1, taken: taken.union([$0]))
    }.max() ?? -.infinity
  }

  private func expectMatching(_ found: Assignment, _ weights: [Float], rows: Int, columns: Int) {
    #expect(found.columns.count == rows)
    let used = found.columns.compactMap { $0 }
    #expect(used.count == min(rows, columns) && Set(used).count == used.count)
    #expect(used.allSatisfy { 0..<columns ~= $0 })
    let total = found.columns.enumerated().reduce(0.0) { sum, pair in
      sum + (pair.element.map { Double(weights[pair.offset * columns + $0]) } ?? 0)
    }
    #expect(abs(total - found.total) < 1e-6 * Double(max(used.count, 1)))
  }

  /// Every shape up to 8 by 8, with weights of either sign and with many ties.
  @Test func againstAllMatchings() throws {
    var random = SeededRandom(seed: 1)
    for rows in 0...8 {
      for columns in 0...8 where max(rows, columns) < 8 || min(rows, columns) < 6 || rows == columns {
        for ties in [false, true] {
          let weights = (0..<rows * columns).map { _ in ties ? Float(random.int(-1...2)) : random.float() }
          let found = try Assignment.exact(weights, rows: rows, columns: columns)
          expectMatching(found, weights, rows: rows, columns: columns)
          let turned = (0..<columns).flatMap { j in (0..<rows).map { weights[$0 * columns + j] } }
          let (wide, short) = rows <= columns ? (weights, rows) : (turned, columns)
          let long = max(rows, columns)
          let table = (0..<short).map { wide[$0 * long..<($0 + 1) * long].map(Double.init) }
          #expect(abs(found.total - heaviest(table)) < 1e-6, "\(rows) × \(columns)")
          #expect(found.method == .exact && found.upperBound == found.total)
          #expect(try Assignment.exact(weights, rows: rows, columns: columns) == found)
        }
      }
    }
  }

  /// Totals that scipy's linear_sum_assignment finds.
  @Test func againstScipy() throws {
    let file = try SafetensorsFile(Fixtures.url("evaluation/matching.safetensors"))
    let names = file.names.filter { $0.hasSuffix(".weights") }.map { String($0.dropLast(".weights".count)) }
    #expect(names.count >= 8)
    for name in names {
      let weights = try file.tensor("\(name).weights")
      let total = try file.tensor("\(name).total").read()[0]
      let (rows, columns) = (weights.shape[0], weights.shape[1])
      let found = try Assignment.exact(weights.read(), rows: rows, columns: columns)
      expectMatching(found, try weights.read(), rows: rows, columns: columns)
      #expect(abs(found.total - Double(total)) < 1e-5 * max(1, abs(Double(total))), "\(name)")
    }
  }

  @Test func whatDoesNotFitIsNamed() throws {
    #expect(throws: EvaluationError.self) { try Assignment.exact([1, 2, 3], rows: 2, columns: 2) }
    #expect(throws: EvaluationError.self) { try Assignment.exact([1, .infinity], rows: 1, columns: 2) }
    struct Stop: Error {}
    #expect(throws: Stop.self) { try Assignment.exact([1, 2], rows: 1, columns: 2) { throw Stop() } }
    let rows = try UnitRows([1, 2], width: 2)
    let cosines = try CosineMatrix(rows, rows, backend: NativeBackend(threads: 1))
    #expect(throws: EvaluationError.self) { try cosines.matching(candidates: 0) }
  }

  /// The auction stays within its own bound and, bidding on all columns, within n · ε of the best.
  @Test(arguments: [(40, 40, 8), (23, 61, 5), (61, 23, 5), (150, 150, 32), (1, 9, 3), (120, 121, 2)])
  func auctionsAreWithinTheirBounds(_ a: Int, _ b: Int, _ width: Int) throws {
    let backend = try NativeBackend(threads: 2)
    let cosines = try CosineMatrix(
      UnitRows(random: a, width: width, seed: 3), UnitRows(random: b, width: width, seed: 4), backend: backend)
    let weights = try cosines.all()
    let exact = try cosines.matching()
    expectMatching(exact, weights, rows: a, columns: b)
    let pairs = Double(min(a, b))
    for candidates in [1, 4, 16, max(a, b)] {
      let found = try cosines.matching(exactLimit: 0, candidates: candidates)
      expectMatching(found, weights, rows: a, columns: b)
      #expect(found.method == .auction)
      #expect(found.total <= exact.total + 1e-5 && exact.total <= found.upperBound + 1e-5)
      if candidates == max(a, b) { #expect(found.total >= exact.total - pairs * 1e-4 - 1e-5) }
      #expect(found.total >= exact.total - 0.2 * pairs)
    }
  }

  /// Rows that all want the same columns: the auction ends and all are served.
  @Test func equalRowsAreServed() throws {
    let backend = try NativeBackend(threads: 2)
    var random = SeededRandom(seed: 2)
    let one = random.direction(6)
    let a = try UnitRows((0..<50).flatMap { _ in one }, width: 6)
    let b = try UnitRows((0..<70).flatMap { $0 < 20 ? one : random.direction(6) }, width: 6)
    let found = try CosineMatrix(a, b, backend: backend).matching(exactLimit: 0, candidates: 8)
    #expect(Set(found.columns.compactMap { $0 }).count == 50)
    let exact = try CosineMatrix(a, b, backend: backend).matching()
    #expect(abs(found.total - exact.total) < 1e-4, "greedy is best where all rows are alike")
  }

  /// The same pairs for any number of threads.
  @Test func threadsDoNotMatter() throws {
    let found = try [1, 2].map { threads in
      let rows = try UnitRows(random: 90, width: 11, seed: 8)
      let others = try UnitRows(random: 70, width: 11, seed: 9)
      return try CosineMatrix(rows, others, backend: NativeBackend(threads: threads))
    }
    #expect(try found[0].matching() == found[1].matching())
    #expect(try found[0].matching(exactLimit: 10) == found[1].matching(exactLimit: 10))
  }
}
