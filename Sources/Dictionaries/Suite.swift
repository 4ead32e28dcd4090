public import Foundation
public import Sites

/// A collection of dictionaries for one model, described by a `suite.json` at the root of its folder:
///
/// ```json
/// {"schema":1,"model":{"name":"google/gemma-3-270m","sha256":"…"},"dictionaries":[
///   {"name":"resid_post/layer_9_width_16k_l0_small","path":"resid_post/layer_9_width_16k_l0_small","kind":"sae",
///    "sites":["resid_post.9"],"width":16384,"l0":20,"affine":false,"card":{"l0":19.4,"fvu":0.08}}]}
/// ```
public struct Suite: Sendable, Equatable {
  /// The model that the dictionaries were trained on.
  public struct Model: Sendable, Equatable {
    /// As Hugging Face has it, normalised by `normalisedModelName`.
    public let name: String
    /// SHA-256 of the weights (`WeightHash`), 64 lower-case hexadecimal digits, where recorded.
    public let sha256: String?

    /// A model by name and, where known, by its weights.
    public init(name: String, sha256: String?) {
      self.name = name
      self.sha256 = sha256
    }
  }

  /// One dictionary of the suite.
  public struct Entry: Sendable, Equatable {
    /// How it is called; unique within the suite. Its path where `suite.json` gives none.
    public let name: String
    /// Folder or file below the suite's folder.
    public let path: String
    /// Which of the four kinds.
    public let kind: DictionaryKind
    /// Sites read, then sites written where they are others.
    public let sites: [Site]
    /// Features of all layers together.
    public let width: Int
    /// Target L0, summed over layers.
    public let l0: Double?
    /// Whether it has an affine skip connection.
    public let isAffine: Bool
    /// What was measured when it was made: its numbers by name (`l0`, `fvu`, `delta_loss` …).
    public let card: [String: Double]

    /// An entry; nothing is checked.
    public init(
      name: String, path: String, kind: DictionaryKind, sites: [Site], width: Int, l0: Double?, isAffine: Bool,
      card: [String: Double]
    ) {
      self.name = name
      self.path = path
      self.kind = kind
      self.sites = sites
      self.width = width
      self.l0 = l0
      self.isAffine = isAffine
      self.card = card
    }
  }

  /// The folder that holds `suite.json`.
  public let folder: URL
  /// What the dictionaries were trained on.
  public let model: Model
  /// The dictionaries, in the order of the file.
  public let entries: [Entry]

  /// A suite; nothing is checked.
  public init(folder: URL, model: Model, entries: [Entry]) {
    self.folder = folder
    self.model = model
    self.entries = entries
  }

  /// Where an entry's files are.
  public func url(of entry: Entry) -> URL { folder.appending(path: entry.path) }
}

extension Suite.Entry: CustomStringConvertible {
  /// One line for lists: `name  sae  resid_post.9  width 16384  l0 20`.
  public var description: String {
    let few = sites.count <= 4
    let places = few ? sites.map(\.description).joined(separator: ",") : "\(sites[0]) … \(sites[sites.count - 1])"
    var parts = [name, kind.rawValue, places, "width \(width)"]
    if let l0 { parts.append("l0 \(Self.text(l0))") }
    if isAffine { parts.append("affine") }
    return parts.joined(separator: "  ")
  }

  /// A number without a needless `.0`.
  static func text(_ number: Double) -> String { Int(exactly: number).map(String.init) ?? "\(number)" }
}
