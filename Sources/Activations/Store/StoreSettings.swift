import Checkpoints
import Foundation
public import Sites

/// Everything that decides what a store holds: two runs with equal settings give the same bytes.
public struct StoreSettings: Codable, Equatable, Sendable {
  /// A site and its width.
  public struct Column: Codable, Equatable, Sendable {
    public var site: Site
    public var width: Int

    public init(site: Site, width: Int) {
      self.site = site
      self.width = width
    }
  }

  public var schema = 1
  public var sites: [Column]
  public var type: StoredType
  /// Recorded for readers that shuffle; the rows themselves stand in the order of the corpus.
  public var seed: UInt64
  public var harvest: HarvestOptions
  public var rowsPerShard: Int
  /// Name and SHA-256 of the model (`WeightHash`).
  public var model: String
  public var modelSHA256: String
  public var corpusSHA256: String

  enum CodingKeys: String, CodingKey {
    case schema, sites, seed, harvest, model
    case type = "dtype"
    case rowsPerShard = "rows_per_shard"
    case modelSHA256 = "model_sha256"
    case corpusSHA256 = "corpus_sha256"
  }

  /// - Parameter rowsPerShard: nil for what makes a shard of about 64 MB.
  public init(
    sites: [Column], type: StoredType = .fp32, seed: UInt64 = 0, harvest: HarvestOptions = HarvestOptions(),
    rowsPerShard: Int? = nil, model: String, modelSHA256: String, corpusSHA256: String
  ) {
    self.sites = sites
    self.type = type
    self.seed = seed
    self.harvest = harvest
    let rowBytes = sites.reduce(12) { $0 + type.rowBytes($1.width) }
    self.rowsPerShard = rowsPerShard ?? max(256, (64 << 20) / max(rowBytes, 1))
    self.model = model
    self.modelSHA256 = modelSHA256
    self.corpusSHA256 = corpusSHA256
  }

  /// A digest of all of it, which every shard carries.
  var digest: String {
    get throws { String(SHA256.hex(of: try Self.encoder.encode(self)).prefix(32)) }
  }

  static var encoder: JSONEncoder {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return encoder
  }

  /// Each field as text, for telling two settings apart.
  private var fields: [(key: String, value: String)] {
    func text(_ value: some Encodable) -> String {
      (try? Self.encoder.encode(value)).map { String(decoding: $0, as: UTF8.self) } ?? "?"
    }
    let packing = harvest.packing
    return [
      ("schema", "\(schema)"), ("sites", sites.map { "\($0.site) × \($0.width)" }.joined(separator: ", ")),
      ("dtype", type.rawValue), ("seed", "\(seed)"), ("context", "\(packing.context)"),
      ("tokens", packing.tokenLimit.map(String.init) ?? "all"), ("shard", "\(packing.shard)/\(packing.shardCount)"),
      ("batch", "\(harvest.batch)"), ("norm filter", text(harvest.normFilter)), ("harvest", text(harvest)),
      ("rows_per_shard", "\(rowsPerShard)"), ("model_sha256", modelSHA256), ("corpus_sha256", corpusSHA256),
      ("model", model),
    ]
  }

  /// The first field in which `other` differs.
  func difference(from other: StoreSettings) -> (key: String, mine: String, other: String)? {
    zip(fields, other.fields).first { $0.value != $1.value }.map { ($0.key, $0.value, $1.value) }
  }
}
