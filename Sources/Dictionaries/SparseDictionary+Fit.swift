public import Sites

extension SparseDictionary {
  /// Checks that the model has the sites this dictionary reads and writes, in these widths.
  /// - Parameter modelName: names the model in the error.
  /// - Throws: `DictionaryError.doesNotFit` naming both shapes.
  public func fits(_ model: ModelShape, modelName: String) throws {
    func failure(_ reason: String) -> DictionaryError {
      .doesNotFit(
        dictionary: "\(name), \(shape)",
        model:
          "\(modelName), \(model.layers) layers of width \(model.width), attn_out of width \(model.attentionWidth)",
        reason: reason)
    }
    guard !readsNormWithoutGain else {
      throw failure("it reads the norm before the MLP without its gain (Gemma Scope 1), which no site holds")
    }
    guard !readsUnscaledEmbeddings else {
      throw failure("it was trained on unscaled embeddings (Gemma Scope 1), while embed holds them times √width")
    }
    for (sites, width, verb) in [(shape.reads, shape.inputWidth, "reads"), (shape.writes, shape.outputWidth, "writes")]
    {
      for site in sites {
        do {
          try model.validate(site)
        } catch {
          throw failure("it \(verb) \(site), the model has layers 0 to \(model.layers - 1)")
        }
        guard model.width(of: site) == width else {
          throw failure("it \(verb) \(width) numbers at \(site), which holds \(model.width(of: site))")
        }
      }
    }
    if shape.kind == .clt, shape.reads.count != model.layers {
      throw failure("it spans \(shape.reads.count) layers, the model has \(model.layers)")
    }
  }

  /// A sentence for the user when the dictionary was trained on another model than `model` (its pretrained sibling,
  /// say): allowed, but its figures do not carry over. Nil when they agree or nothing is known.
  public func weightsWarning(model: String?) -> String? {
    guard let mine = modelName, let model, mine != normalisedModelName(model) else { return nil }
    return "dictionary '\(name)' was trained on \(mine), not on \(normalisedModelName(model))"
  }
}
