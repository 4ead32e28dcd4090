import Foundation
import Sites

/// What the published folder names tell about a dictionary.
///
/// Gemma Scope 2: `resid_post[_all]/layer_9_width_16k_l0_small`, `transcoder/layer_9_width_16k_l0_small_affine`,
/// `crosscoder/layer_5_9_12_15_width_65k_l0_medium`, `clt/width_262k_l0_big_affine`.
/// Gemma Scope 1: `gemma-scope-2b-pt-res/layer_9/width_16k/average_l0_71`, and `embedding` for `layer_9`.
struct DictionaryPathHints: Equatable {
  var kind: DictionaryKind?
  var reads: HookPoint?
  var writes: HookPoint?
  /// `16k`, as written.
  var widthLabel: String?
  /// `small`, or the measured number of Gemma Scope 1, as written.
  var l0Label: String?
  /// From the `_affine` ending of a name in Gemma Scope 2's form.
  var isAffine: Bool?
  var modelName: String?

  /// - Parameter components: of the folder's path, the folder last.
  init(components: [String]) {
    modelName = components.lazy.reversed().compactMap(Self.model(repository:)).first
    guard let folder = components.last else { return }
    if !readScope2(folder: folder, parent: components.dropLast().last ?? "") { readScope1(components) }
  }

  private mutating func readScope2(folder: String, parent: String) -> Bool {
    var words = folder.split(separator: "_").map(String.init)[...]
    var layers: [Int] = []
    if words.first == "layer" {
      words = words.dropFirst()
      while let word = words.first, let layer = Int(word), layer >= 0 {
        layers.append(layer)
        words = words.dropFirst()
      }
    }
    guard words.count >= 4, words.first == "width", words[words.startIndex + 2] == "l0" else { return false }
    widthLabel = words[words.startIndex + 1]
    l0Label = words[words.startIndex + 3]
    isAffine = words.dropFirst(4).contains("affine")
    let family = parent.hasSuffix("_all") ? String(parent.dropLast(4)) : parent
    switch family {
    case "clt":
      kind = .clt
      reads = try? HookPoint("layers.{all}.pre_feedforward_layernorm.output")
      writes = try? HookPoint("layers.{all}.post_feedforward_layernorm.output")
    case "crosscoder":
      kind = .crosscoder
      reads = try? HookPoint("layers.{\(layers.map(String.init).joined(separator: ","))}.output")
      writes = reads
    default:
      guard layers.count == 1 else { return true }
      readSingle(layers[0], family: family)
    }
    return true
  }

  private mutating func readSingle(_ layer: Int, family: String) {
    switch family {
    case "transcoder":
      kind = .transcoder
      reads = HookPoint(.mlpIn(layer))
      writes = HookPoint(.mlpOut(layer))
    case Site.Kind.residPost.rawValue, Site.Kind.attnOut.rawValue, Site.Kind.mlpOut.rawValue:
      kind = .sae
      reads = Site.Kind(rawValue: family).map { HookPoint(Site($0, layer: layer)) }
      writes = reads
    default: break
    }
  }

  private mutating func readScope1(_ components: [String]) {
    guard components.count >= 3 else { return }
    let tail = components.suffix(3).map { $0 }
    guard tail[1].hasPrefix("width_") else { return }
    widthLabel = String(tail[1].dropFirst("width_".count))
    if tail[2].hasPrefix("average_l0_") { l0Label = String(tail[2].dropFirst("average_l0_".count)) }
    if tail[0] == "embedding" {
      kind = .sae
      reads = HookPoint(.embed)
      writes = reads
      return
    }
    guard tail[0].hasPrefix("layer_"), let layer = Int(tail[0].dropFirst("layer_".count)), layer >= 0 else { return }
    let families = ["res": "resid_post", "att": "attn_out", "mlp": "mlp_out", "transcoders": "transcoder"]
    let repository = components.lazy.reversed().first { $0.contains("gemma-scope-") }
    guard let ending = repository?.split(separator: "-").last, let family = families[String(ending)] else { return }
    readSingle(layer, family: family)
  }

  /// The model that a repository's name stands for; also in a cache folder's name (`models--google--gemma-scope-…`).
  private static func model(repository: String) -> String? {
    guard let start = repository.range(of: "gemma-scope-") else { return nil }
    var words = repository[start.upperBound...].split(separator: "-").map(String.init)
    let generation = words.first == "2" ? "3" : "2"
    if words.first == "2" { words.removeFirst() }
    guard words.count >= 2, words[1] == "pt" || words[1] == "it" else { return nil }
    // Gemma 2's pretrained checkpoints carry no suffix.
    let name =
      generation == "2" && words[1] == "pt" ? "gemma-2-\(words[0])" : "gemma-\(generation)-\(words[0])-\(words[1])"
    return normalisedModelName(name)
  }
}
