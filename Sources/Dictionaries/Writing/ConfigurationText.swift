import Checkpoints
import Sites

/// `config.json` as Gemma Scope 2 has it, keys in its order.
struct ConfigurationText {
  private var members: [(key: String, value: String)] = []

  /// What Gemma Scope 2 says of a dictionary. `model_name` and `l0` are left out where they are unknown.
  init(_ parameters: DictionaryParameters) {
    let shape = parameters.shape
    add("hf_hook_point_in", quoted: Self.hookPoint(shape.reads, shape.kind))
    add("hf_hook_point_out", quoted: Self.hookPoint(shape.writes, shape.kind))
    add("width", "\(shape.totalWidth)")
    if let name = parameters.modelName { add("model_name", quoted: name) }
    add("architecture", quoted: "jump_relu")
    if let l0 = parameters.targetL0 { add("l0", Suite.Entry.text(l0)) }
    add("affine_connection", shape.isAffine ? "true" : "false")
    add("type", quoted: shape.kind.rawValue)
  }

  mutating func add(_ key: String, _ value: String) { members.append((key, value)) }
  mutating func add(_ key: String, quoted text: String) { add(key, JSONText.quoted(text)) }

  /// The JSON object and a line end.
  var bytes: [UInt8] {
    let lines = members.map { "  \(JSONText.quoted($0.key)): \($0.value)" }
    return Array("{\n\(lines.joined(separator: ",\n"))\n}\n".utf8)
  }

  /// `{all}` is for cross-layer transcoders, which read a model from its first layer to its last.
  private static func hookPoint(_ sites: [Site], _ kind: DictionaryKind) -> String {
    guard kind.isMultiLayer else { return sites.map { HookPoint($0).description }.joined() }
    let isWhole = kind == .clt && sites.map(\.layer) == Array(sites.indices)
    return HookPoint(sites, isWholeModel: isWhole)?.description ?? ""
  }
}
