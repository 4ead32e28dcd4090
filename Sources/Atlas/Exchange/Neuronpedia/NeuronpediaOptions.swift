import Checkpoints

/// What Neuronpedia is to call what an atlas holds.
public struct NeuronpediaOptions: Equatable, Sendable {
  /// The model there; nil for the last part of the atlas's model name, in lower case.
  public var modelID: String?
  /// The source set of all dictionaries; nil for `gscope-res-2k` and the like, by what each reads and its width.
  public var sourceSet: String?
  /// The user to whom everything belongs, who must be there; this one is in every fresh installation.
  public var creatorID = "clkht01d40000jv08hvalcvly"
  /// Who is shown to have made it.
  public var creatorName = "gscope"
  /// The release that the source sets belong to.
  public var release = "gscope"
  /// Layers of the model and MLP neurons of a layer, which an atlas does not know. The import makes no use of them
  /// for a model that is there already; 0, where they are not known, is what Neuronpedia's own converter writes.
  public var layers = 0, neuronsPerLayer = 0

  /// What a fresh installation takes.
  public init() {}

  /// - Throws: `AtlasError.option`.
  func validate() throws {
    for (name, value) in [
      ("model-id", modelID), ("source-set", sourceSet), ("creator-id", creatorID), ("release", release),
    ] {
      guard let value else { continue }
      guard Self.isName(value), name != "model-id" || value == value.lowercased() else {
        throw AtlasError.option(
          name: name,
          reason: "is '\(value.clipped)', expected 1 to 128 \(name == "model-id" ? "lower-case " : "")letters, "
            + "digits, - or _")
      }
    }
    if let sourceSet, sourceSet.contains("__") {
      throw AtlasError.option(
        name: "source-set", reason: "is '\(sourceSet)'; what stands behind '__' is no part of a set's name")
    }
    guard layers >= 0, neuronsPerLayer >= 0, !creatorName.isEmpty else {
      throw AtlasError.option(name: "creator-name", reason: "is empty, or there are fewer than no layers")
    }
  }

  /// What Neuronpedia's schema demands of a model's id; sets, users and releases stand in addresses beside it.
  static func isName(_ text: String) -> Bool {
    1...128 ~= text.utf8.count
      && text.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
          true
        default: false
        }
      }
  }
}

/// What was written.
public struct NeuronpediaExport: Equatable, Sendable {
  /// The features of a dictionary that read one site.
  public struct Source: Equatable, Sendable {
    /// Its id there: `9-gscope-res-2k`.
    public let id: String
    /// The dictionary's name in the atlas.
    public let dictionary: String
    /// Rows of each table.
    public internal(set) var features = 0, activations = 0, explanations = 0
  }

  public let modelID: String
  public internal(set) var sources: [Source]
}
