import Dictionaries

extension Recipe {
  /// What keys say together.
  func validate(_ object: RecipeObject) throws {
    let features = width * reads.count
    func text(_ number: Double) -> String { RecipeObject.text(number) }
    guard l0 < Double(features) else {
      throw object.failure("l0", "is \(text(l0)); expected less than the \(features) features there are")
    }
    if objective != .jumprelu {
      guard l0 == l0.rounded() else {
        throw object.failure("l0", "is \(text(l0)); \(objective.rawValue) selects a whole number of features")
      }
      for key in ["bandwidth", "sparsity", "frequency"] where object.value(key) != nil {
        throw object.failure(key, "goes with the objective jumprelu, not with \(objective.rawValue)")
      }
    }
    if let initialL0, initialL0 < l0 || initialL0 >= Double(features) {
      throw object.failure("initial_l0", "is \(text(initialL0)); expected at least l0, \(text(l0)), below \(features)")
    }
    guard (initialL0 == nil) == (l0Decay == .none) else {
      throw object.failure("l0_decay", "and 'initial_l0' go together: from where, and over how many steps")
    }
    if isAffine, kind == .sae || kind == .crosscoder {
      throw object.failure("affine", "goes with transcoders: a \(kind.rawValue) with a skip would copy its input")
    }
    if kind == .sae, initialisation.encoderBias == .centred {
      throw object.failure(
        "initialisation.encoder_bias", "is centred, which an sae is without it: it subtracts the decoder's bias")
    }
    guard repeats == 1 || repeats <= steps else {
      throw object.failure("repeats", "is \(repeats), more than the \(steps) steps of the run")
    }
    guard batch <= window else {
      throw object.failure("window", "is \(window) activations; expected at least one batch, \(batch)")
    }
    let (warmup, decay) = (schedule.warmup.steps(of: steps), schedule.decay.steps(of: steps))
    if case .share = schedule.warmup, case .share = schedule.decay, warmup + decay > steps + 1 {
      throw object.failure("schedule", "has a warm-up and decay that together are longer than the run")
    }
    if let auxK, auxK.features > features {
      throw object.failure("auxk.features", "is \(auxK.features), more than the \(features) features there are")
    }
    if endToEnd != nil { try validateEndToEnd(object) }
  }

  /// Steps end to end take whole sequences, each token once, none left out.
  private func validateEndToEnd(_ object: RecipeObject) throws {
    guard !kind.isMultiLayer else {
      throw object.failure("end_to_end", "goes with an sae or transcoder; a \(kind.rawValue) writes several sites")
    }
    guard !start.isEmpty else {
      throw object.failure("end_to_end", "goes with 'start': it goes on from a trained dictionary")
    }
    guard repeats == 1 else {
      throw object.failure("repeats", "is \(repeats); with 'end_to_end' each sequence is used once")
    }
    guard normFilter == nil else {
      throw object.failure("norm_filter", "leaves tokens out; with 'end_to_end' whole sequences are replaced")
    }
    guard batch >= context else {
      throw object.failure(
        "batch", "is \(batch); with 'end_to_end' expected at least one sequence, 'context' \(context)")
    }
  }

  /// Stretches given in steps that a run this short never gets through; words for a warning, nil when all is well.
  public var tooShort: String? {
    let stretches = [
      ("schedule.warmup", schedule.warmup), ("sparsity.ramp", objective == .jumprelu ? sparsity.ramp : .none),
      ("l0_decay", l0Decay),
    ]
    for (key, stretch) in stretches {
      if case .steps(let count) = stretch, count > steps {
        return "'\(key)' takes \(count) steps, the run has \(steps): its end is never reached (short-run.json has "
          + "shares instead)"
      }
    }
    return nil
  }
}
