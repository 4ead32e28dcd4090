import Dictionaries
import Gemma
import Sites
import Tensors
import TestSupport
import Testing

/// What lists of several interventions mean, and properties that hold whatever the numbers are.
@Suite struct InterventionOrderTests {
  private func row(_ values: [Float], _ row: Int, width: Int = 32) -> [Double] {
    values[row * width..<(row + 1) * width].map { Double($0) }
  }

  private func feature(_ dictionary: SparseDictionary, _ index: Int, layer: Int? = nil) -> Intervention.Target {
    .feature(.init(dictionary: dictionary.name, layer: layer, index: index))
  }

  @Test(arguments: InterventionReferenceTests.paths)
  func spliceWithErrorAloneIsTheIdentity(path: String) throws {
    let bench = try InterventionBench()
    let dictionary = try bench.dictionary(path)
    let read = dictionary.shape.reads.count - 1
    let layer = dictionary.shape.reads[read].layer
    let splice = Intervention(.splice, .dictionary(dictionary.name), keepError: true)
    // With a feature left as it is beside it, the code is in fact taken.
    let unchanged = Intervention(.scale, feature(dictionary, 4, layer: layer), value: 1)
    for list in [[splice], [splice, unchanged]] {
      let plan = try bench.plan(list, [dictionary])
      expectClose(try bench.logits(plan.visitor()), try bench.logits(nil), rowLength: 300, tolerance: 1e-5, path)
    }
  }

  @Test func ablatingATiedFeatureTurnsItOff() throws {
    let bench = try InterventionBench()
    let made = try MadeDictionary(site: .residPost(4), inputWidth: 32, width: 23, tied: true) { tensors in
      // Without biases the row's part along the encoder is all there is.
      tensors["b_enc"] = [Float](repeating: 0, count: 23)
    }
    let before = try made.dictionary.encode(
      try Tensor(try bench.activations(.residPost(4)), shape: [bench.tokens.count, 32]), read: 0)
    var changed = 0
    for index in 0..<23 {
      let plan = try bench.plan([.init(.ablate, feature(made.dictionary, index))], [made.dictionary], specialTokens: [])
      let x = try bench.activations(.residPost(4), plan.visitor())
      let after = try made.dictionary.encode(try Tensor(x, shape: [bench.tokens.count, 32]), read: 0)
      for r in bench.tokens.indices {
        #expect(after.activation(ofFeature: index, inRow: r) == 0, "feature \(index) row \(r)")
        changed += before.activation(ofFeature: index, inRow: r) > 0 ? 1 : 0
      }
    }
    #expect(changed > 50)
  }

  @Test func orthogonalLeavesNothingAlong() throws {
    let bench = try InterventionBench()
    let dictionary = try bench.dictionary(InterventionBench.clt)
    let plan = try bench.plan([.init(.orthogonal, feature(dictionary, 7, layer: 2))], [dictionary])
    let byHand = try HandDictionary(dictionary)
    for write in 2..<7 {
      let x = try bench.activations(.mlpOut(write), plan.visitor())
      let direction = byHand.row(read: 2, feature: 7, write: write)
      let length = direction.reduce(0) { $0 + $1 * $1 }.squareRoot()
      for r in bench.tokens.indices.dropFirst() {
        let values = row(x, r)
        let size = values.reduce(0) { $0 + $1 * $1 }.squareRoot()
        let along = zip(values, direction).reduce(0) { $0 + $1.0 * $1.1 } / length
        #expect(abs(along) <= 1e-6 * size)
      }
    }
  }

  @Test func setReachesItsValueWhereTiedAndStacksInOrder() throws {
    let bench = try InterventionBench()
    let made = try MadeDictionary(site: .residPost(4), inputWidth: 32, width: 11, tied: true) { tensors in
      // On at every row, so that what is encoded again is what was set.
      tensors["b_enc"]?[5] = 40
      tensors["threshold"]?[5] = 0.1
    }
    let target = feature(made.dictionary, 5)
    // Each sees what the one before left: 6, then half of it, then no more than 2.
    let list: [Intervention] = [
      .init(.set, target, value: 6), .init(.scale, target, value: 0.5), .init(.cap, target, value: 2),
    ]
    let visitor = try bench.plan(list, [made.dictionary]).visitor(recordsChanges: true)
    let x = try bench.activations(.residPost(4), visitor)
    let code = try made.dictionary.encode(try Tensor(x, shape: [bench.tokens.count, 32]), read: 0)
    for r in bench.tokens.indices.dropFirst() {
      #expect(abs(code.activation(ofFeature: 5, inRow: r) - 2) < 1e-3)
      let records = visitor.records.filter { $0.position == r }
      #expect(records.map(\.index) == [0, 1, 2])
      #expect(zip(records, [6, 3, 2] as [Float]).allSatisfy { abs(($0.after ?? 0) - $1) < 1e-3 })
      #expect(records.allSatisfy { $0.site == .residPost(4) && $0.sequence == 0 })
    }
    #expect(!visitor.records.contains { $0.position == 0 })
  }

  /// Without a splice a feature is encoded anew; within one its code is held while others change.
  @Test func spliceHoldsTheCode() throws {
    let bench = try InterventionBench()
    let dictionary = try bench.dictionary(InterventionBench.residual)
    let byHand = try HandDictionary(dictionary)
    let (a, b) = (4, 9)
    for keepError in [true, false] {
      let plan = try bench.plan(
        [
          .init(.splice, .dictionary(dictionary.name), keepError: keepError),
          .init(.set, feature(dictionary, a), value: 5), .init(.set, feature(dictionary, b), value: 3),
          .init(.scale, feature(dictionary, a), value: 0.5), .init(.add, feature(dictionary, b), value: 1),
          .init(.cap, feature(dictionary, b), value: 3.5),
        ], [dictionary])
      let expected = HandVisitor([
        .residPost(3): { x in
          for r in x.indices.dropFirst() {
            var code = byHand.encode(x[r], read: 0)
            let error = zip(x[r], byHand.decode([code], write: 0, input: [])).map { $0 - $1 }
            (code[a], code[b]) = (2.5, 3.5)
            x[r] = byHand.decode([code], write: 0, input: [])
            if keepError { x[r] = zip(x[r], error).map { $0 + $1 } }
          }
        }
      ])
      expectClose(
        try bench.logits(plan.visitor()), try bench.logits(expected), rowLength: 300, tolerance: 1e-4, "\(keepError)")
    }
  }

  @Test func spliceOfSomeRowsHoldsTheirCodeOnly() throws {
    let bench = try InterventionBench()
    let dictionary = try bench.dictionary(InterventionBench.residual)
    let byHand = try HandDictionary(dictionary)
    let list: [Intervention] = [
      .init(.splice, .dictionary(dictionary.name), positions: .list([5, 6])),
      .init(.splice, .dictionary(dictionary.name), keepError: true, positions: .list([6, 7])),
      .init(.add, feature(dictionary, 4), value: 2), .init(.set, feature(dictionary, 9), value: 3),
    ]
    func shifted(_ x: [Double], _ amount: Double, _ feature: Int) -> [Double] {
      zip(x, byHand.row(read: 0, feature: feature, write: 0)).map { $0 + amount * $1 }
    }
    let expected = HandVisitor([
      .residPost(3): { x in
        for r in x.indices.dropFirst() {
          var code: [Double]?
          if r == 5 || r == 6 {
            code = byHand.encode(x[r], read: 0)
            x[r] = byHand.decode([code ?? []], write: 0, input: [])
          }
          if r == 6 || r == 7 { code = byHand.encode(x[r], read: 0) }
          x[r] = shifted(x[r], 2, 4)
          x[r] = shifted(x[r], 3 - (code ?? byHand.encode(x[r], read: 0))[9], 9)
        }
      }
    ])
    let plan = try bench.plan(list, [dictionary])
    expectClose(try bench.logits(plan.visitor()), try bench.logits(expected), rowLength: 300, tolerance: 1e-4, "rows")
  }

  /// Dictionaries that write elsewhere than they read: one code, changed in list order at every write; a splice decodes
  /// it as changed so far.
  @Test(arguments: [InterventionBench.affineTranscoder, InterventionBench.crosscoder, InterventionBench.affineCLT])
  func codesReadElsewhere(path: String) throws {
    let bench = try InterventionBench()
    let dictionary = try bench.dictionary(path)
    let byHand = try HandDictionary(dictionary)
    let reads = dictionary.shape.reads
    let (first, last) = (reads[0].layer, reads[reads.count - 1].layer)
    let list: [Intervention] = [
      .init(.add, feature(dictionary, 6, layer: first), value: 0.5),
      .init(.set, feature(dictionary, 6, layer: last), value: 2),
      .init(.splice, .dictionary(dictionary.name)),
      .init(.scale, feature(dictionary, 6, layer: first), value: 3),
      .init(.ablate, feature(dictionary, 8, layer: first)),
    ]
    var inputs: [[[Double]]] = reads.map { _ in [] }
    var codes = inputs
    var edits: [Site: HandVisitor.Edit] = [:]
    for (read, site) in reads.enumerated() {
      edits[site] = { x in
        inputs[read] = x
        codes[read] = x.map { byHand.encode($0, read: read) }
      }
    }
    for (write, site) in dictionary.shape.writes.enumerated() {
      let take = edits[site]
      edits[site] = { x in
        // A crosscoder takes the code of a read when the list first asks for it: that of the first read here before
        // anything is added, those of the others after.
        if dictionary.shape.kind == .crosscoder, write > 0 {
          let added = byHand.row(read: 0, feature: 6, write: write)
          for r in x.indices.dropFirst() { x[r] = zip(x[r], added).map { $0 + 0.5 * $1 } }
        }
        take?(&x)
        for r in x.indices.dropFirst() {
          var code = (0...write).map { codes[$0][r] }
          code[0][6] += 0.5
          if write == reads.count - 1 { code[write][6] = 2 }
          code[0][6] *= 3
          code[0][8] = 0
          x[r] = byHand.decode(code, write: write, input: inputs[write][r])
        }
      }
    }
    let plan = try bench.plan(list, [dictionary])
    let expected = try bench.logits(HandVisitor(edits))
    expectClose(try bench.logits(plan.visitor()), expected, rowLength: 300, tolerance: 2e-4, path)
  }

  /// A transcoder reads what the MLP gets, whatever the list's order.
  @Test func transcodersReadTheChangedInput() throws {
    let bench = try InterventionBench()
    let dictionary = try bench.dictionary(InterventionBench.transcoder)
    let byHand = try HandDictionary(dictionary)
    var random = SeededRandom(seed: 5)
    let vector = try MadeVector(random.floats(32))
    let set = Intervention(.set, feature(dictionary, 10), value: 4)
    let shift = Intervention(.add, vector.target, site: .mlpIn(4), value: 2)
    var code: [Double] = []
    let expected = HandVisitor([
      .mlpIn(4): { x in
        for r in x.indices.dropFirst() { x[r] = zip(x[r], vector.values).map { $0 + 2 * Double($1) } }
        code = x.map { byHand.encode($0, read: 0)[10] }
      },
      .mlpOut(4): { x in
        let row = byHand.row(read: 0, feature: 10, write: 0)
        for r in x.indices.dropFirst() { x[r] = zip(x[r], row).map { $0 + (4 - code[r]) * $1 } }
      },
    ])
    let logits = try bench.logits(expected)
    for list in [[set, shift], [shift, set]] {
      let plan = try bench.plan(list, [dictionary])
      expectClose(try bench.logits(plan.visitor()), logits, rowLength: 300, tolerance: 1e-4, "order")
    }
  }

  @Test func listOrderMatters() throws {
    let bench = try InterventionBench()
    let dictionary = try bench.dictionary(InterventionBench.residual)
    let add = Intervention(.add, feature(dictionary, 4), value: 10)
    let splice = Intervention(.splice, .dictionary(dictionary.name))
    let addLast = try bench.logits(try bench.plan([splice, add], [dictionary]).visitor())
    let addFirst = try bench.logits(try bench.plan([add, splice], [dictionary]).visitor())
    #expect(relativeError(addLast, addFirst, rowLength: 300) > 1e-2)
  }

  @Test func oneVisitorServesManyPasses() throws {
    let bench = try InterventionBench()
    let dictionary = try bench.dictionary(InterventionBench.clt)
    let plan = try bench.plan([.init(.splice, .dictionary(dictionary.name))], [dictionary])
    let visitor = plan.visitor()
    let first = try bench.logits(visitor)
    _ = try bench.model.forward([[7, 8], [9]], logits: .all, visitor: visitor)
    #expect(try bench.logits(visitor) == first)
  }
}
