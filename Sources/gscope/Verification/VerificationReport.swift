import Dictionaries
import Evaluation

/// What `gscope verify` says of one dictionary.
struct VerificationReport {
  let dictionary: SparseDictionary
  let verification: Verification
  let reference: ReferenceFigures?
  /// Why the result is bad; nil when it is good.
  let fault: String?
  let variants: [FaultFinder.Variant]
  let modelName: String

  /// The variant that explains a bad result: of those with which nothing would be wrong, the one that misses least.
  var likelyFault: FaultFinder.Variant? {
    guard fault != nil else { return nil }
    let known = variants.filter { ReferenceFigures.fault($0.metrics, against: reference) == nil }
    return known.min { ($0.fvu ?? .infinity) < ($1.fvu ?? .infinity) }
  }

  private var verdict: String {
    guard let fault else { return "as expected" }
    if let likely = likelyFault {
      return "\(fault). Likely fault: \(likely.meaning) (FVU would be \(Format.percent(likely.fvu)))"
    }
    let trained = dictionary.modelName.map { "; it was trained on \($0), this is \(modelName)" } ?? ""
    return "\(fault). None of the common mistakes explains it: other weights, or a damaged file\(trained)"
  }

  var json: JSONValue {
    let metrics = verification.metrics
    return .document([
      ("name", .string(dictionary.name)), ("kind", .string(dictionary.shape.kind.rawValue)),
      ("tokens", .integer(metrics.tokens)), ("l0", .optional(metrics.l0.value)), ("fvu", .optional(metrics.total.fvu.value)),
      ("fvu_with_special_tokens", .optional(verification.withSpecials.total.fvu.value)), ("loss", .optional(verification.loss)),
      ("delta_loss", .optional(verification.deltaLoss)),
      (
        "sites",
        .array(
          verification.sites.map {
            ["site": .string("\($0.site)"), "fvu": .optional($0.fvu), "delta_loss": .optional($0.deltaLoss)]
          })
      ),
      (
        "reference",
        reference.map {
          [
            "source": .string($0.source), "l0": .optional($0.l0), "fvu": .optional($0.fvu),
            "delta_loss": .optional($0.deltaLoss),
          ]
        } ?? nil
      ),
      ("ok", .bool(fault == nil)), ("likely_fault", .optional(likelyFault?.meaning)), ("verdict", .string(verdict)),
      (
        "variants",
        .array(
          variants.map {
            ["name": .string($0.name), "l0": .optional($0.l0), "fvu": .optional($0.fvu)]
          })
      ),
    ])
  }

  func show() throws {
    let metrics = verification.metrics
    try StandardOutput.line("\(TextStyle.bold.apply(dictionary.name)): \(dictionary.shape)")
    try StandardOutput.line(
      "\(Format.count(metrics.tokens, "token")), special ones left out; the model's loss is "
        + "\(Format.decimal(verification.loss, 4)) nats a token")
    var table = TextTable([.init(""), .init("L0", .right), .init("FVU", .right), .init("delta loss", .right)])
    table.add([
      .init("measured"), .init(Format.decimal(metrics.l0.value, 1)), .init(Format.percent(metrics.total.fvu.value)),
      .init(Format.signed(verification.deltaLoss)),
    ])
    if verification.sites.count > 1 {
      for site in verification.sites {
        table.add([.init("  \(site.site)"), "", .init(Format.percent(site.fvu)), .init(Format.signed(site.deltaLoss))])
      }
    }
    if let reference {
      table.add([
        .init(reference.source), .init(Format.decimal(reference.l0, 1)), .init(Format.percent(reference.fvu)),
        .init(Format.signed(reference.deltaLoss)),
      ])
    }
    if reference?.fvu == nil {
      for figure in ReferenceFigures.published {
        table.add([
          .init("1b-pt, published: \(figure.what)", .dim), .init(figure.l0, .dim), .init(figure.fvu, .dim),
          .init(figure.deltaLoss, .dim),
        ])
      }
    }
    try table.write()
    if !variants.isEmpty { try showVariants() }
    try StandardOutput.line((fault == nil ? TextStyle.good : .bad).apply(verdict))
  }

  private func showVariants() throws {
    var table = TextTable([.init("if instead"), .init("L0", .right), .init("FVU", .right)])
    for variant in variants {
      table.add([
        .init(variant.name, variant.name == likelyFault?.name ? .warning : .plain),
        .init(Format.decimal(variant.l0, 1)),
        .init(Format.percent(variant.fvu)),
      ])
    }
    try table.write()
  }
}
