import Checkpoints
import Foundation

extension GemmaConfiguration {
  /// Reads a Hugging Face `config.json`: a text model (`gemma3_text`) or the `text_config` of a multimodal one
  /// (`gemma3`).
  ///
  /// A text configuration must hold every field. Google's multimodal files leave out fields whose value the
  /// `gemma3_text` format defines (transformers, `Gemma3TextConfig`): there, and only there, those constants apply, and
  /// sizes are checked against the weights when the model is loaded.
  /// - Throws: `GemmaError.configuration` naming the field, or `JSONError` where the text is not JSON.
  package init(huggingFace json: [UInt8], file: String) throws {
    let root = try JSONObject(json, file: file)
    let type = try root.string("model_type")
    let isMultimodal = type == "gemma3"
    guard isMultimodal || type == "gemma3_text" else {
      throw GemmaError.configuration(
        file: file, field: "model_type", problem: "is '\(type)', expected 'gemma3_text' or 'gemma3'")
    }
    let text = isMultimodal ? try root.object("text_config") : root
    func defined<Value>(_ field: String, _ value: Value?, _ constant: Value) throws -> Value {
      if let value { return value }
      guard isMultimodal else { throw text.missing(field) }
      return constant
    }
    if let activation = try text.optionalString("hidden_activation"), activation != "gelu_pytorch_tanh" {
      throw text.error("hidden_activation", "is '\(activation)', expected 'gelu_pytorch_tanh'")
    }
    for field in ["final_logit_softcapping", "attn_logit_softcapping"] where try text.optionalDouble(field) != nil {
      throw text.error(field, "is set, but Gemma 3 has no soft-capping")
    }
    if try text.optionalBool("attention_bias") == true { throw text.error("attention_bias", "is true, expected false") }
    if try text.optionalBool("use_bidirectional_attention") == true {
      throw text.error("use_bidirectional_attention", "is true: only causal models are supported")
    }
    layers = try text.integer("num_hidden_layers")
    width = try text.integer("hidden_size")
    feedForward = try text.integer("intermediate_size")
    slidingWindow = try text.integer("sliding_window")
    queryHeads = try defined("num_attention_heads", text.optionalInteger("num_attention_heads"), 8)
    keyValueHeads = try defined("num_key_value_heads", text.optionalInteger("num_key_value_heads"), 4)
    headDimension = try defined("head_dim", text.optionalInteger("head_dim"), 256)
    vocabularySize = try defined("vocab_size", text.optionalInteger("vocab_size"), 262_208)
    maximumPositions = try defined("max_position_embeddings", text.optionalInteger("max_position_embeddings"), 131_072)
    queryScalar = try defined("query_pre_attn_scalar", text.optionalDouble("query_pre_attn_scalar"), 256)
    normEpsilon = Float(try defined("rms_norm_eps", text.optionalDouble("rms_norm_eps"), 1e-6))
    isGlobal = try Self.globalLayers(text, layers: layers, required: !isMultimodal)
    let rope = try RopeFields(text, required: !isMultimodal)
    (globalRopeBase, globalRopeScale, localRopeBase) = (rope.globalBase, rope.globalScale, rope.localBase)
    // Chat checkpoints name <end_of_turn> too, multimodal ones only beside text_config.
    endTokens = try root.tokenList("eos_token_id") ?? text.tokenList("eos_token_id") ?? [1]
    beginToken = try root.tokenList("bos_token_id")?.first ?? text.tokenList("bos_token_id")?.first ?? 2
    padToken = try root.tokenList("pad_token_id")?.first ?? text.tokenList("pad_token_id")?.first ?? 0
    self = try validated(file: file)
  }

  /// Adds the end tokens that a folder's `generation_config.json` names.
  mutating func addEndTokens(generationConfig json: [UInt8], file: String) throws {
    for token in try JSONObject(json, file: file).tokenList("eos_token_id") ?? [] where !endTokens.contains(token) {
      endTokens.append(token)
    }
  }

  /// Which layers are global: `layer_types` (newer files), or every `sliding_window_pattern`-th.
  private static func globalLayers(_ text: JSONObject, layers: Int, required: Bool) throws -> [Bool] {
    // A lying count must not become an allocation: the limit repeats that of `validated`.
    guard (1...4096).contains(layers) else {
      throw text.error("num_hidden_layers", "is \(layers), expected 1...4096")
    }
    let pattern = try text.optionalInteger("sliding_window_pattern") ?? text.optionalInteger("_sliding_window_pattern")
    if let pattern, pattern < 1 { throw text.error("sliding_window_pattern", "is \(pattern), expected at least 1") }
    let fromPattern = pattern.map { pattern in (1...layers).map { $0 % pattern == 0 } }
    if let types = try text.optionalStrings("layer_types") {
      let fromTypes = try types.map { type in
        switch type {
        case "full_attention": true
        case "sliding_attention": false
        default:
          throw text.error("layer_types", "names '\(type)', expected 'full_attention' or 'sliding_attention'")
        }
      }
      if let fromPattern, fromPattern != fromTypes {
        throw text.error("layer_types", "contradicts sliding_window_pattern \(pattern ?? 0)")
      }
      return fromTypes
    }
    if let fromPattern { return fromPattern }
    guard !required else { throw text.missing("layer_types") }
    return (1...layers).map { $0 % 6 == 0 }
  }
}

/// The rotary fields in either of the two ways transformers writes them.
private struct RopeFields {
  var globalBase: Double
  var globalScale: Double
  var localBase: Double

  init(_ text: JSONObject, required: Bool) throws {
    if let parameters = try text.optionalObject("rope_parameters") {
      let global = try parameters.object("full_attention")
      let local = try parameters.object("sliding_attention")
      globalBase = try global.double("rope_theta")
      globalScale = try Self.scale(global)
      localBase = try local.double("rope_theta")
      guard try Self.scale(local) == 1 else {
        throw local.error("rope_type", "scales local layers, which Gemma 3 does not")
      }
      return
    }
    if required {
      globalBase = try text.double("rope_theta")
      localBase = try text.double("rope_local_base_freq")
    } else {
      globalBase = try text.optionalDouble("rope_theta") ?? 1_000_000
      localBase = try text.optionalDouble("rope_local_base_freq") ?? 10_000
    }
    globalScale = try text.optionalObject("rope_scaling").map(Self.scale) ?? 1
  }

  /// The factor of linear scaling, 1 for none.
  private static func scale(_ fields: JSONObject) throws -> Double {
    let type = try fields.optionalString("rope_type") ?? fields.optionalString("type") ?? "default"
    switch type {
    case "default": return 1
    case "linear": return try fields.double("factor")
    default: throw fields.error("rope_type", "is '\(type)', expected 'default' or 'linear'")
    }
  }
}
