/// A module output (or input) of the Hugging Face model at one or several layers, as Gemma Scope 2's `config.json`
/// names it: `model.layers.17.output`, `model.layers.{5,9,12,15}.output`,
/// `model.layers.{all}.pre_feedforward_layernorm.output`.
public struct HookPoint: Hashable, Sendable {
  /// Which layers are meant.
  public enum Layers: Hashable, Sendable {
    /// One layer, from 0.
    case one(Int)
    /// Ascending, without repeats, not empty.
    case list([Int])
    /// Every layer of the model.
    case all
  }

  /// Which tensor of the layers.
  public let kind: Site.Kind
  /// The layers; layer 0 for the embeddings, which belong to none.
  public let layers: Layers

  /// The hook point of one site.
  public init(_ site: Site) {
    kind = site.kind
    layers = .one(site.layer)
  }

  /// Reads a hook point; the text model's prefix may be any of the forms under which Gemma 3 is loaded (`model.`,
  /// `language_model.`, `model.language_model.`, `language_model.model.`).
  /// - Throws: `SiteError.hookPoint`.
  public init(_ name: String) throws {
    let prefixes = ["model.language_model.", "language_model.model.", "language_model.", "model."]
    let body = prefixes.first { name.hasPrefix($0) }.map { name.dropFirst($0.count) } ?? Substring(name)
    if body == Self.embedding {
      kind = .embed
      layers = .one(0)
      return
    }
    let parts = body.split(separator: ".", maxSplits: 2, omittingEmptySubsequences: false)
    guard parts.count == 3, parts[0] == "layers" else {
      throw SiteError.hookPoint(name: name, reason: "expected model.layers.N.…")
    }
    guard let kind = Site.Kind.allCases.first(where: { $0 != .embed && $0.module == parts[2] }) else {
      let known = Site.Kind.allCases.filter { $0 != .embed }.map(\.module).joined(separator: ", ")
      throw SiteError.hookPoint(name: name, reason: "'\(parts[2])' is none of \(known)")
    }
    self.kind = kind
    layers = try Self.layers(parts[1], in: name)
  }

  private static let embedding = "embed_tokens.output"
  /// More than any Gemma has; a longer list in a file is a fault, not a model.
  private static let mostLayers = 1024

  private static func layers(_ text: Substring, in name: String) throws -> Layers {
    func failure(_ reason: String) -> SiteError { .hookPoint(name: name, reason: reason) }
    func number(_ digits: Substring) throws -> Int {
      guard let layer = layerNumber(digits), layer < mostLayers else {
        throw failure("'\(digits)' is no layer number below \(mostLayers)")
      }
      return layer
    }
    guard text.hasPrefix("{"), text.hasSuffix("}") else { return .one(try number(text)) }
    let inner = text.dropFirst().dropLast()
    if inner == "all" { return .all }
    let items = inner.split(separator: ",", omittingEmptySubsequences: false)
    let list = try items.map { item in try number(item.drop { $0 == " " }) }
    guard zip(list, list.dropFirst()).allSatisfy({ $0 < $1 }) else { throw failure("layers must ascend") }
    return .list(list)
  }

  /// The sites named, ascending; `{all}` becomes layers 0 ..< `layerCount`.
  public func sites(layerCount: Int) -> [Site] {
    switch layers {
    case .one(let layer): [Site(kind, layer: layer)]
    case .list(let list): list.map { Site(kind, layer: $0) }
    case .all: (0..<max(layerCount, 0)).map { Site(kind, layer: $0) }
    }
  }
}

extension HookPoint: CustomStringConvertible {
  public var description: String {
    if kind == .embed { return "model.\(Self.embedding)" }
    let which =
      switch layers {
      case .one(let layer): "\(layer)"
      case .list(let list): "{" + list.map(String.init).joined(separator: ",") + "}"
      case .all: "{all}"
      }
    return "model.layers.\(which).\(kind.module)"
  }
}

extension Site.Kind {
  /// What follows `model.layers.N.` in a Hugging Face hook point.
  fileprivate var module: String {
    switch self {
    case .embed: ""
    case .attnOut: "self_attn.o_proj.input"
    case .mlpIn: "pre_feedforward_layernorm.output"
    case .mlpOut: "post_feedforward_layernorm.output"
    case .residPost: "output"
    }
  }
}
