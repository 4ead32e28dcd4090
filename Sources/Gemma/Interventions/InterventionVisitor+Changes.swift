import Dictionaries
import Sites
import Tensors

extension InterventionVisitor {
  /// Adds the planned multiple of a direction to the rows concerned.
  func apply(_ shift: PlannedShift, to x: Tensor, at site: Site, _ layout: RowLayout) throws -> Tensor {
    let rows = try rows(of: shift.index, layout)
    guard !rows.isEmpty else { return x }
    let part = try select(x, rows)
    let before = try activations(shift, part, rows)
    let amounts = try amounts(shift, part)
    let change = rows.indices.map { i -> Float in
      let activation = before?[i] ?? 0
      return switch shift.kind {
      case .add: amounts[i]
      case .set: amounts[i] - activation
      case .scale: amounts[i] * activation - activation
      case .cap: min(amounts[i], activation) - activation
      case .ablate, .orthogonal, .splice: -activation
      }
    }
    note(shift, rows, before, change, at: site, layout)
    guard change.contains(where: { $0 != 0 }) else { return x }
    let coefficients = try backend.tensor(change, shape: [rows.count, 1])
    let added = try backend.matmul(coefficients, shift.direction)
    return try replace(x, rows, with: try backend.add(part, added, scale: 1))
  }

  /// The activation of each row, where the kind asks for it.
  private func activations(_ shift: PlannedShift, _ part: Tensor, _ rows: [Int]) throws -> [Float]? {
    switch shift.source {
    case .none: return nil
    case .projection(let unit): return try backend.linear(part, unit).read()
    case .feature(let probe):
      guard let feature = shift.feature else { return nil }
      var found = rows.map { held(feature, row: $0) }
      let missing = found.indices.filter { found[$0] == nil }
      if !missing.isEmpty {
        guard let probe else {
          throw GemmaError.intervention(index: shift.index, problem: "its feature was not read before it is written")
        }
        let encoded = try probe.activations(try select(part, missing), backend: backend)
        for (place, activation) in zip(missing, encoded) { found[place] = activation }
      }
      return found.map { $0 ?? 0 }
    }
  }

  /// The intervention's value for each row, in units of the direction.
  private func amounts(_ shift: PlannedShift, _ part: Tensor) throws -> [Float] {
    switch shift.amount {
    case .none: return [Float](repeating: 0, count: part.rows)
    case .fixed(let value): return [Float](repeating: value, count: part.rows)
    case .shareOfNorm(let share):
      let values = try part.read()
      let width = part.rowLength
      return (0..<part.rows).map { share * euclideanLength(values[$0 * width..<($0 + 1) * width]) / shift.length }
    }
  }

  /// Keeps account of what changed: in held codes, and in the records where they are kept.
  private func note(
    _ shift: PlannedShift, _ rows: [Int], _ before: [Float]?, _ change: [Float], at site: Site, _ layout: RowLayout
  ) {
    if let feature = shift.feature, let taken = readings[feature.read] {
      for (place, row) in rows.enumerated() where taken.contains(where: { $0.place(ofRow: row) != nil }) {
        changes[feature, default: [Float](repeating: 0, count: layout.positions.count)][row] += change[place]
      }
    }
    guard recordsChanges else { return }
    for (place, row) in rows.enumerated() where change[place] != 0 {
      let segment = layout.segments.firstIndex { $0.contains(row) } ?? 0
      records.append(
        InterventionRecord(
          index: shift.index, kind: shift.kind, site: site, sequence: sequences?[segment] ?? segment,
          position: layout.positions[row], before: before?[place], change: change[place]))
    }
  }

  /// Puts reconstructions in the place of rows, and records how far each was moved.
  private func splice(
    _ splice: PlannedSplice, _ x: Tensor, _ rows: [Int], with reconstruction: Tensor, at site: Site,
    _ layout: RowLayout
  ) throws -> Tensor {
    if recordsChanges {
      let moved = try backend.add(reconstruction, try select(x, rows), scale: -1).read()
      let width = x.rowLength
      for (place, row) in rows.enumerated() {
        let segment = layout.segments.firstIndex { $0.contains(row) } ?? 0
        records.append(
          InterventionRecord(
            index: splice.index, kind: .splice, site: site, sequence: sequences?[segment] ?? segment,
            position: layout.positions[row], before: nil,
            change: euclideanLength(moved[place * width..<(place + 1) * width])))
      }
    }
    return try replace(x, rows, with: reconstruction)
  }

  /// Replaces the rows concerned by their reconstruction, or holds their code.
  func apply(_ splice: PlannedSplice, to x: Tensor, at site: Site, _ layout: RowLayout) throws -> Tensor {
    let rows = try rows(of: splice.index, layout)
    guard !rows.isEmpty else { return x }
    if splice.dictionary.shape.kind != .sae { return try replaceElsewhere(splice, x, rows, at: site, layout) }

    let part = try select(x, rows)
    for feature in changes.keys where feature.read.dictionary == splice.slot {
      for row in rows { changes[feature]?[row] = 0 }
    }
    let key = ReadKey(dictionary: splice.slot, read: 0)
    if let probe = splice.probe {
      let activations = try probe.activations(part, backend: backend)
      readings[key, default: []].append(Reading(rows: rows, activations: activations, probe: probe))
      return x
    }
    let code = try splice.dictionary.encode(part, read: 0)
    readings[key, default: []].append(Reading(rows: rows, code: code, input: nil))
    let reconstruction = try splice.dictionary.decode(try DictionaryCode([code]), write: 0, input: part)
    return try self.splice(splice, x, rows, with: reconstruction, at: site, layout)
  }

  /// A reconstruction from codes that were taken at other sites, or at this one before.
  private func replaceElsewhere(
    _ splice: PlannedSplice, _ x: Tensor, _ rows: [Int], at site: Site, _ layout: RowLayout
  ) throws -> Tensor {
    func failure() -> GemmaError {
      .intervention(index: splice.index, problem: "'\(splice.dictionary.name)' was not read before it is written")
    }
    var input: Tensor?
    let codes = try (0...splice.write).map { read in
      guard let reading = readings[ReadKey(dictionary: splice.slot, read: read)]?.last else { throw failure() }
      let places = rows.compactMap { reading.place(ofRow: $0) }
      guard places.count == rows.count, let code = try reading.code(at: places) else { throw failure() }
      if read == splice.write { input = try reading.input.map { try select($0, places) } }
      return code
    }
    var result = try splice.dictionary.decode(try DictionaryCode(codes), write: splice.write, input: input)
    for edit in splice.edits {
      guard let change = changes[edit.feature] else { continue }
      let coefficients = try backend.tensor(rows.map { change[$0] }, shape: [rows.count, 1])
      result = try backend.add(result, try backend.matmul(coefficients, edit.row), scale: 1)
    }
    return try self.splice(splice, x, rows, with: result, at: site, layout)
  }
}
