public import Dictionaries
public import Sites

extension Recipe {
  /// What is read and written. `writes` follows from the kind where it is left out.
  static func sites(_ object: RecipeObject, _ kind: DictionaryKind) throws -> (reads: [Site], writes: [Site]) {
    guard let reads = try list(object, "reads") else {
      throw object.failure("reads", "is missing; expected a site such as \"resid_post.9\", or a list of sites")
    }
    let isTranscoder = kind == .transcoder || kind == .clt
    let writes =
      try list(object, "writes") ?? (isTranscoder ? reads.map { Site(.mlpOut, layer: $0.layer) } : reads)
    try check(object, "reads", reads, kind)
    try check(object, "writes", writes, kind)
    switch kind {
    case .sae, .crosscoder:
      guard writes == reads else {
        throw object.failure("writes", "are other sites than those read, but a \(kind.rawValue) writes what it reads")
      }
      guard kind == .sae || reads[0].kind == .residPost else {
        throw object.failure("reads", "are \(reads[0].kind.rawValue) sites; a crosscoder reads resid_post")
      }
    case .transcoder, .clt:
      guard reads.count == writes.count else {
        throw object.failure("writes", "are \(writes.count) sites for \(reads.count) reads; expected as many")
      }
      guard reads != writes else {
        throw object.failure("writes", "are the sites read; a \(kind.rawValue) reads mlp_in and writes mlp_out")
      }
    }
    return (reads, writes)
  }

  private static func list(_ object: RecipeObject, _ key: String) throws -> [Site]? {
    try object.strings(key)?.map { text in
      do {
        return try Site(text)
      } catch let error as SiteError {
        throw object.failure(key, "is wrong: \(error)")
      }
    }
  }

  private static func check(_ object: RecipeObject, _ key: String, _ sites: [Site], _ kind: DictionaryKind) throws {
    guard let first = sites.first else { throw object.failure(key, "is an empty list") }
    guard kind.isMultiLayer ? sites.count > 1 : sites.count == 1 else {
      let expected = kind.isMultiLayer ? "two or more" : "one"
      throw object.failure(key, "are \(sites.count) sites; a \(kind.rawValue) has \(expected)")
    }
    guard sites.allSatisfy({ $0.kind == first.kind }), zip(sites, sites.dropFirst()).allSatisfy({ $0 < $1 }) else {
      throw object.failure(key, "are \(sites.map(\.description)); expected sites of one kind in ascending layers")
    }
  }
}

extension Recipe {
  /// The dictionary's shape on a model.
  /// - Throws: `RecipeError.model` when the model has not such sites, `DictionaryError` for a shape that cannot be.
  public func shape(on model: ModelShape, file: String) throws -> DictionaryShape {
    do {
      for site in reads + writes { try model.validate(site) }
    } catch let error as SiteError {
      throw RecipeError.model(path: file, reason: "asks for \(error)")
    }
    return try DictionaryShape(
      checking: kind, reads: reads, writes: writes, width: width, inputWidth: model.width(of: reads[0]),
      outputWidth: model.width(of: writes[0]), isAffine: isAffine)
  }

  /// Sites of which activations are needed, ascending.
  public var sites: [Site] { Set(reads + writes).sorted() }
}
