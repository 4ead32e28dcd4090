extension GemmaModel {
  /// Continues a prompt.
  ///
  /// - Parameters:
  ///   - prompt: tokens, `<bos>` included. With `session` they continue what it has seen.
  ///   - interventions: applied to the prompt and to every token produced, as their positions say.
  ///   - session: receives keys and values; afterwards it has seen everything but the last token produced.
  ///   - onToken: called with every token as soon as it is chosen.
  /// - Throws: `GemmaError.input` for tokens or options out of range or logits that are no numbers,
  ///   `GemmaError.intervention`, `TensorError`, and what `check` and `onToken` throw.
  public func generate(
    _ prompt: [Int32], options: GenerationOptions = .init(), interventions: InterventionPlan? = nil,
    session: GemmaSession? = nil, check: CancellationCheck = {}, onToken: (Int32) throws -> Void = { _ in }
  ) throws -> Generation {
    let all = try generate(
      [prompt], options: options, interventions: interventions, sessions: session.map { [$0] }, check: check
    ) { try onToken($1) }
    return all[0]
  }

  /// Continues several prompts of any lengths, together: every step is one pass over all that still go on.
  ///
  /// Prompt i draws its random numbers from stream i of the seed, so what it becomes does not depend on the others (but
  /// for rounding, where two tokens are all but equally probable).
  /// - Parameter onToken: called with the place of the prompt and the token, as soon as it is chosen.
  /// - Throws: as for one prompt; also for no prompts, or another number of `sessions`.
  public func generate(
    _ prompts: [[Int32]], options: GenerationOptions = .init(), interventions: InterventionPlan? = nil,
    sessions: [GemmaSession]? = nil, check: CancellationCheck = {},
    onToken: (_ sequence: Int, _ token: Int32) throws -> Void = { _, _ in }
  ) throws -> [Generation] {
    var run = try GenerationRun(
      self, prompts: prompts, options: options, visitor: interventions?.visitor(), sessions: sessions)
    try run.prefill(check: check, onToken: onToken)
    while run.isGoing { try run.step(check: check, onToken: onToken) }
    return run.results
  }
}
