import Dictionaries
import Gemma
import Sites
import Tensors
import TestSupport
import Testing

/// Which rows are changed: absolute positions, prompt and generated parts, special tokens, in batches and chunks.
@Suite struct InterventionPositionTests {
  private static let spans: [Intervention.Positions] = [
    .all, .prompt, .generated, .list([0, 3, 9, 400]), .range(.init(from: 2, to: 5)), .range(.init(from: 4)),
    .range(.init(to: 3)),
  ]

  /// What each spelling means, token by token.
  private func isConcerned(_ positions: Intervention.Positions, _ position: Int, prompt: Int, isSpecial: Bool) -> Bool {
    switch positions {
    case .all: !isSpecial
    case .prompt: !isSpecial && position < prompt
    case .generated: !isSpecial && position >= prompt
    case .list(let list): list.contains(position)
    case .range(let span): position >= span.from && position < span.to ?? .max
    }
  }

  /// Rows whose activations at the site changed, as (sequence, position).
  private func changedRows(_ result: ForwardResult, _ plain: ForwardResult, at site: Site) throws -> [[Int]] {
    let values = try result.activations[site]?.read() ?? []
    let before = try plain.activations[site]?.read() ?? []
    return result.rows.segments.map { segment in
      segment.filter { values[$0 * 32..<($0 + 1) * 32] != before[$0 * 32..<($0 + 1) * 32] }
        .map { result.rows.positions[$0] }
    }
  }

  @Test(arguments: spans)
  func rowsOfABatch(positions: Intervention.Positions) throws {
    let bench = try InterventionBench()
    let vector = try MadeVector([Float](repeating: 1, count: 32))
    let texts: [[Int32]] = [[2, 9, 8, 7, 2, 6, 5], [9, 3, 4], [2, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19]]
    let prompts = [4, 3, 9]
    let plan = try bench.plan(
      [.init(.add, vector.target, site: .residPost(1), value: 1, positions: positions)], specialTokens: [2, 4])
    let plain = try bench.model.forward(texts, capture: [.residPost(1)], logits: .none)
    for prompts in [prompts, nil] {
      let changed = try bench.model.forward(
        texts, capture: [.residPost(1)], logits: .none, visitor: plan.visitor(promptLengths: prompts))
      let expected = texts.enumerated().map { index, text in
        text.indices.filter {
          isConcerned(positions, $0, prompt: prompts?[index] ?? .max, isSpecial: text[$0] == 2 || text[$0] == 4)
        }
      }
      #expect(try changedRows(changed, plain, at: .residPost(1)) == expected, "\(positions)")
    }
  }

  /// A text read piece by piece with a cache is changed as it is in one go.
  @Test(arguments: spans)
  func piecesEqualTheWhole(positions: Intervention.Positions) throws {
    let bench = try InterventionBench()
    let residual = try bench.dictionary(InterventionBench.residual, name: "residual")
    let clt = try bench.dictionary(InterventionBench.affineCLT, name: "clt")
    let list: [Intervention] = [
      .init(.set, .feature(.init(dictionary: "clt", layer: 1, index: 5)), value: 2, positions: positions),
      .init(.splice, .dictionary("residual"), positions: positions),
      .init(
        .set, .feature(.init(dictionary: "residual", index: 4)), value: 0.5, unit: .residualNorm, positions: positions),
      .init(.splice, .dictionary("clt"), positions: positions, layers: .init(from: 5)),
    ]
    let plan = try bench.plan(list, [residual, clt])
    let prompt = 14
    let whole = try bench.model.forward(
      [bench.tokens], logits: .all, visitor: plan.visitor(promptLengths: [prompt])
    ).logits
    for pieces in [[5, 9, 1, 1, 7], [23], [1, 22]] {
      let session = try bench.model.makeSession()
      let visitor = plan.visitor(promptLengths: [prompt])
      var start = 0
      var logits: [Float] = []
      for count in pieces {
        let result = try bench.model.forward(
          [Array(bench.tokens[start..<start + count])], logits: .all, visitor: visitor, sessions: [session])
        logits += try result.logits?.read() ?? []
        start += count
      }
      expectClose(logits, try #require(whole).read(), rowLength: 300, tolerance: 1e-4, "\(positions) \(pieces)")
    }
  }

  /// What one pass held of its rows is nothing to the next.
  @Test func passesDoNotMeet() throws {
    let bench = try InterventionBench()
    let residual = try bench.dictionary(InterventionBench.residual, name: "residual")
    let plan = try bench.plan(
      [
        .init(.splice, .dictionary("residual"), keepError: true, positions: .prompt),
        .init(.splice, .dictionary("residual"), positions: .list([3])),
        .init(.set, .feature(.init(dictionary: "residual", index: 4)), value: 4, positions: .generated),
      ], [residual])
    let prompt = 8
    let whole = try bench.model.forward([bench.tokens], logits: .all, visitor: plan.visitor(promptLengths: [prompt]))
    let session = try bench.model.makeSession()
    let visitor = plan.visitor(promptLengths: [prompt])
    var logits: [Float] = []
    for piece in [bench.tokens[..<prompt], bench.tokens[prompt...]] {
      let result = try bench.model.forward([Array(piece)], logits: .all, visitor: visitor, sessions: [session])
      logits += try result.logits?.read() ?? []
    }
    expectClose(logits, try #require(whole.logits).read(), rowLength: 300, tolerance: 1e-4, "two passes")
  }

  @Test func batchEqualsSingle() throws {
    let bench = try InterventionBench()
    let crosscoder = try bench.dictionary(InterventionBench.crosscoder, name: "cross")
    let list: [Intervention] = [
      .init(.set, .feature(.init(dictionary: "cross", layer: 2, index: 9)), value: 3, positions: .generated),
      .init(.splice, .dictionary("cross"), positions: .prompt),
    ]
    let plan = try bench.plan(list, [crosscoder])
    let texts = [Array(bench.tokens[..<9]), Array(bench.tokens[3..<6]), bench.tokens]
    let prompts = [9, 1, 12]
    let together = try bench.model.forward(
      texts, logits: .all, visitor: plan.visitor(promptLengths: prompts, recordsChanges: true))
    let values = try #require(together.logits).read()
    for (index, text) in texts.enumerated() {
      let alone = try bench.model.forward([text], logits: .all, visitor: plan.visitor(promptLengths: [prompts[index]]))
      let rows = together.rows.segments[index]
      expectClose(
        Array(values[rows.lowerBound * 300..<rows.upperBound * 300]), try #require(alone.logits).read(), rowLength: 300,
        tolerance: 1e-4, "text \(index)")
    }
  }

  @Test func recordsNameSequenceAndPosition() throws {
    let bench = try InterventionBench()
    let vector = try MadeVector([Float](repeating: 0.5, count: 32))
    let plan = try bench.plan([
      .init(.add, vector.target, site: .embed, value: 3, positions: .list([1])),
      .init(.set, vector.target, site: .residPost(2), value: 3, positions: .list([0, 2])),
    ])
    let visitor = plan.visitor(recordsChanges: true)
    visitor.sequences = [7, 4]
    _ = try bench.model.forward([[2, 5], [2, 6, 7]], logits: .all, visitor: visitor)
    #expect(visitor.records.map(\.sequence) == [7, 4, 7, 4, 4])
    #expect(visitor.records.map(\.position) == [1, 1, 0, 0, 2])
    #expect(visitor.records.map(\.index) == [0, 0, 1, 1, 1])
    #expect(visitor.records.map { $0.before == nil } == [true, true, false, false, false])
    #expect(visitor.records.prefix(2).allSatisfy { $0.change == 3 && $0.after == nil })
    #expect(visitor.records.dropFirst(2).allSatisfy { abs(($0.after ?? 0) - 3) < 1e-4 })
    let silent = plan.visitor()
    _ = try bench.model.forward([[2, 5]], logits: .all, visitor: silent)
    #expect(silent.records.isEmpty)
  }

  /// A splice records how far it moved each row; one that keeps its error moves none.
  @Test(arguments: [(InterventionBench.residual, 3), (InterventionBench.transcoder, 4)])
  func splicesAreRecorded(path: String, layer: Int) throws {
    let bench = try InterventionBench()
    let dictionary = try bench.dictionary(path, name: "spliced")
    let site = try #require(dictionary.shape.writes.first)
    #expect(site.layer == layer)
    let visitor = try bench.plan([.init(.splice, .dictionary("spliced"))], [dictionary]).visitor(recordsChanges: true)
    let after = try bench.activations(site, visitor)
    let before = try bench.activations(site)
    let plain = bench.tokens.indices.filter { bench.tokens[$0] != 2 }
    #expect(visitor.records.map(\.position) == plain)
    for record in visitor.records {
      let row = record.position * 32..<(record.position + 1) * 32
      let length = row.reduce(0.0) { $0 + Double(after[$1] - before[$1]) * Double(after[$1] - before[$1]) }.squareRoot()
      #expect(abs(Double(record.change) - length) <= 1e-4 * max(1, length))
      #expect(record.kind == .splice && record.site == site && record.before == nil && record.after == nil)
    }
    let kept = try bench.plan([.init(.splice, .dictionary("spliced"), keepError: true)], [dictionary])
      .visitor(recordsChanges: true)
    _ = try bench.logits(kept)
    #expect(kept.records.isEmpty)
  }
}
