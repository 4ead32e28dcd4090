extension Intervention {
  /// Checks what can be checked without model and dictionaries.
  /// - Parameter index: its place in the list, for the error.
  /// - Throws: `GemmaError.intervention`.
  func validate(index: Int) throws {
    if let problem = targetProblem ?? valueProblem ?? positionProblem {
      throw GemmaError.intervention(index: index, problem: problem)
    }
  }

  private var name: String { "'\(kind.rawValue)'" }

  private var targetProblem: String? {
    switch (kind, target) {
    case (.splice, .dictionary): break
    case (.splice, _): return "'splice' takes a whole dictionary, neither a feature nor a vector"
    case (_, .dictionary): return "'feature' is missing: \(name) acts on one feature of the dictionary"
    case (_, .feature(let feature)):
      if feature.index < 0 { return "'feature' is \(feature.index), expected a number from 0" }
      if let layer = feature.layer, layer < 0 { return "'layer' is \(layer), expected a number from 0" }
    case (_, .vector):
      if site == nil { return "'site' is missing: a vector needs one, such as resid_post.9" }
      if layers != nil { return "'layers' belongs to dictionaries, not to a vector" }
    }
    return nil
  }

  private var valueProblem: String? {
    switch kind {
    case .add, .set, .scale, .cap:
      guard let value else { return "'value' is missing: \(name) needs one" }
      guard value.isFinite else { return "'value' is \(value), expected a finite number" }
    case .ablate, .orthogonal, .splice:
      if value != nil { return "'value' does not belong to \(name)" }
    }
    if unit != .raw {
      guard [.add, .set, .cap].contains(kind) else { return "'unit' does not belong to \(name)" }
      if unit == .maxActivation, case .vector = target {
        return "'unit' is max_activation, which only features have; take raw or residual_norm for a vector"
      }
    }
    if keepError, kind != .splice { return "'keep_error' belongs to 'splice', not to \(name)" }
    return nil
  }

  private var positionProblem: String? {
    switch positions {
    case .all, .prompt, .generated: break
    case .list(let list):
      if list.isEmpty { return "'positions' is an empty list" }
      if let negative = list.first(where: { $0 < 0 }) {
        return "'positions' holds \(negative), expected numbers from 0"
      }
    case .range(let span):
      if let problem = span.problem { return "'positions' \(problem)" }
    }
    return layers?.problem.map { "'layers' \($0)" }
  }
}

extension Intervention.Span {
  fileprivate var problem: String? {
    if from < 0 { return "starts at \(from), expected a number from 0" }
    if let to, to <= from { return "ends at \(to), which is not past its start \(from) ('to' itself is left out)" }
    return nil
  }
}
