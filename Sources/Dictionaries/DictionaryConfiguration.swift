import Checkpoints
public import Sites

/// Gemma Scope 2's `config.json`. Every key may be missing there; what is missing stays nil and is settled from the
/// folder's name and the tensors.
///
/// Keys: `type`, `hf_hook_point_in`, `hf_hook_point_out`, `width` (features of all layers together), `model_name`,
/// `architecture` (only `jump_relu`), `l0`, `affine_connection`. Others are ignored.
public struct DictionaryConfiguration: Equatable, Sendable {
  /// `type`.
  public var kind: DictionaryKind?
  /// `hf_hook_point_in`: what is read.
  public var reads: HookPoint?
  /// `hf_hook_point_out`: what is written.
  public var writes: HookPoint?
  /// `width`: features of all layers together.
  public var totalWidth: Int?
  /// `model_name`, as normalised by `normalisedModelName`.
  public var modelName: String?
  /// `l0`: the L0 that training aimed at, per token, summed over layers.
  public var targetL0: Double?
  /// `affine_connection`: whether a linear map of the input is added to what is written.
  public var isAffine: Bool?
  /// Whether the weights are in the compact form of this program (`"format":"gemmascope-compact"`): see `CompactForm`.
  public var isCompact = false

  /// Nothing known.
  public init() {}

  /// Reads the JSON text `bytes`.
  /// - Parameter path: names the file in errors.
  /// - Throws: `DictionaryError.configuration` for a value of the wrong type or meaning or a repeated key,
  ///   `DictionaryError.file` for text that is no JSON object.
  public init(json bytes: UnsafeRawBufferPointer, path: String) throws {
    var seen: Set<String> = []
    var version: Int?
    var scanner = JSONScanner(bytes)
    do {
      try scanner.object { key, scanner in
        guard Self.keys.contains(key) else { return try scanner.skipValue() }
        guard seen.insert(key).inserted else {
          throw DictionaryError.configuration(path: path, key: key, reason: "stands there twice")
        }
        if try scanner.peek() == .null { return try scanner.null() }
        do {
          // Only the compact form has a version; another writer's key of this name may be anything.
          if key == "version", try scanner.peek() == .number {
            version = Int(exactly: try scanner.double())
            return
          }
          try read(key, &scanner, path)
        } catch let error as JSONError {
          throw DictionaryError.configuration(path: path, key: key, reason: "cannot be read: \(error)")
        }
      }
      try scanner.end()
    } catch let error as JSONError {
      throw DictionaryError.file(path: path, reason: "is not a JSON object: \(error)")
    }
    guard !isCompact || version == CompactForm.version else {
      throw DictionaryError.configuration(
        path: path, key: "version", reason: "is missing or another than \(CompactForm.version), the only one known")
    }
  }

  private static let keys: Set = [
    "type", "hf_hook_point_in", "hf_hook_point_out", "width", "model_name", "architecture", "l0", "affine_connection",
    "format", "version",
  ]

  private mutating func read(_ key: String, _ scanner: inout JSONScanner, _ path: String) throws {
    func failure(_ reason: String) -> DictionaryError { .configuration(path: path, key: key, reason: reason) }
    switch key {
    case "type":
      let text = try scanner.string()
      guard let known = DictionaryKind(rawValue: text) else {
        let names = DictionaryKind.allCases.map(\.rawValue).joined(separator: ", ")
        throw failure("is '\(text)'; expected one of \(names)")
      }
      kind = known
    case "hf_hook_point_in": reads = try hookPoint(scanner.string(), failure)
    case "hf_hook_point_out": writes = try hookPoint(scanner.string(), failure)
    case "width":
      let width = try scanner.integer()
      guard width > 0 else { throw failure("is \(width); expected a positive number of features") }
      totalWidth = width
    case "model_name": modelName = normalisedModelName(try scanner.string())
    case "architecture":
      let text = try scanner.string()
      guard text == "jump_relu" else { throw failure("is '\(text)'; only 'jump_relu' is known") }
    case "l0":
      let l0 = try scanner.double()
      guard l0.isFinite, l0 >= 0 else { throw failure("is \(l0); expected a number of features from 0") }
      targetL0 = l0
    case "format":
      let text = try scanner.string()
      guard text == CompactForm.name else { throw failure("is '\(text)'; only '\(CompactForm.name)' is known") }
      isCompact = true
    case "affine_connection": isAffine = try scanner.bool()
    default: try scanner.skipValue()
    }
  }

  private func hookPoint(_ text: String, _ failure: (String) -> DictionaryError) throws -> HookPoint {
    do {
      return try HookPoint(text)
    } catch let error as SiteError {
      throw failure("is no known site: \(error)")
    }
  }
}
