import Checkpoints
import Tensors

/// The weights of one block. Projections stay in their stored format; norm gains are fp32 and already 1 + w.
struct LayerWeights: Sendable {
  let inputGain: Tensor
  let queryGain: Tensor
  let keyGain: Tensor
  let postAttentionGain: Tensor
  let preFeedForwardGain: Tensor
  let postFeedForwardGain: Tensor
  /// [queryHeads·headDimension, width]
  let query: Tensor
  /// [keyValueHeads·headDimension, width]
  let key: Tensor
  let value: Tensor
  /// [width, queryHeads·headDimension]
  let output: Tensor
  /// [feedForward, width]
  let gate: Tensor
  let up: Tensor
  /// [width, feedForward]
  let down: Tensor
}

struct GemmaWeights: Sendable {
  /// [vocabulary, width]
  let embedding: Tensor
  let layers: [LayerWeights]
  let finalGain: Tensor
  /// [vocabulary, width]; the embedding itself unless the checkpoint brings a head of its own.
  let head: Tensor
}

/// How a checkpoint format names the weights, and how it stores norm gains.
struct WeightNames {
  let embedding: String
  let finalNorm: String
  let head: String
  let layer: @Sendable (Int, LayerPart) -> String
  /// GGUF stores 1 + w, Hugging Face w.
  let gainsIncludeOne: Bool

  /// Hugging Face names under `prefix`: "model.", or with "language_model" in multimodal checkpoints.
  static func huggingFace(prefix: String, head: String) -> WeightNames {
    WeightNames(
      embedding: prefix + "embed_tokens.weight", finalNorm: prefix + "norm.weight", head: head,
      layer: { "\(prefix)layers.\($0).\($1.huggingFace).weight" }, gainsIncludeOne: false)
  }

  static let gguf = WeightNames(
    embedding: "token_embd.weight", finalNorm: "output_norm.weight", head: "output.weight",
    layer: { "blk.\($0).\($1.gguf).weight" }, gainsIncludeOne: true)

  /// The Hugging Face naming that `source` uses: text-only, or either of the two multimodal key styles.
  static func detect(in source: any TensorSource, path: String) throws -> WeightNames {
    let styles = [
      ("model.", "lm_head.weight"), ("language_model.model.", "language_model.lm_head.weight"),
      ("model.language_model.", "lm_head.weight"),
    ]
    for (prefix, head) in styles where source.contains(prefix + "embed_tokens.weight") {
      return .huggingFace(prefix: prefix, head: head)
    }
    throw GemmaError.notAModel(
      path: path,
      reason: "has no 'embed_tokens.weight' under 'model.', 'language_model.model.' or 'model.language_model.'")
  }
}

/// The parts of a block, named as in the two checkpoint formats.
enum LayerPart: Sendable {
  case inputNorm, query, key, value, queryNorm, keyNorm, output, postAttentionNorm
  case preFeedForwardNorm, gate, up, down, postFeedForwardNorm

  var huggingFace: String {
    switch self {
    case .inputNorm: "input_layernorm"
    case .query: "self_attn.q_proj"
    case .key: "self_attn.k_proj"
    case .value: "self_attn.v_proj"
    case .queryNorm: "self_attn.q_norm"
    case .keyNorm: "self_attn.k_norm"
    case .output: "self_attn.o_proj"
    case .postAttentionNorm: "post_attention_layernorm"
    case .preFeedForwardNorm: "pre_feedforward_layernorm"
    case .gate: "mlp.gate_proj"
    case .up: "mlp.up_proj"
    case .down: "mlp.down_proj"
    case .postFeedForwardNorm: "post_feedforward_layernorm"
    }
  }

  var gguf: String {
    switch self {
    case .inputNorm: "attn_norm"
    case .query: "attn_q"
    case .key: "attn_k"
    case .value: "attn_v"
    case .queryNorm: "attn_q_norm"
    case .keyNorm: "attn_k_norm"
    case .output: "attn_output"
    case .postAttentionNorm: "post_attention_norm"
    case .preFeedForwardNorm: "ffn_norm"
    case .gate: "ffn_gate"
    case .up: "ffn_up"
    case .down: "ffn_down"
    case .postFeedForwardNorm: "post_ffw_norm"
    }
  }
}

extension GemmaWeights {
  /// Takes the weights from `source`, checking every shape against `configuration` and every element type. - Throws:
  /// `GemmaError.weight` for a shape that does not fit, `CheckpointError.unsupported` for an element type that
  ///   is not computed with, and the source's error for a missing tensor.
  init(
    _ source: any TensorSource, names: WeightNames, configuration c: GemmaConfiguration, backend: any Backend
  ) throws {
    func check(_ name: String, _ shape: [Int], _ expected: String, _ isFit: (DType) -> Bool) throws {
      let info = try source.info(name)
      guard info.shape == shape else {
        throw GemmaError.weight(file: try source.path(of: name), name: name, expected: shape, found: info.shape)
      }
      guard let dtype = info.dtype, isFit(dtype) else {
        throw CheckpointError.unsupported(
          file: try source.path(of: name), tensor: name, found: info.typeName, expected: expected)
      }
    }
    func matrix(_ name: String, _ shape: [Int]) throws -> Tensor {
      try check(name, shape, "F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K or Q6_K") {
        $0.isQuantised || [.f32, .f16, .bf16].contains($0)
      }
      return try backend.upload(try source.tensor(name))
    }
    func gain(_ name: String, _ count: Int) throws -> Tensor {
      try check(name, [count], "F32, F16, BF16 or F64") { [.f32, .f16, .bf16, .f64].contains($0) }
      let stored = try source.tensor(name).read()
      return try backend.tensor(names.gainsIncludeOne ? stored : stored.map { 1 + $0 }, shape: [count])
    }
    let (queries, keys) = (c.queryHeads * c.headDimension, c.keyValueHeads * c.headDimension)
    embedding = try matrix(names.embedding, [c.vocabularySize, c.width])
    finalGain = try gain(names.finalNorm, c.width)
    head = source.contains(names.head) ? try matrix(names.head, [c.vocabularySize, c.width]) : embedding
    layers = try (0..<c.layers).map { layer in
      func name(_ part: LayerPart) -> String { names.layer(layer, part) }
      return LayerWeights(
        inputGain: try gain(name(.inputNorm), c.width),
        queryGain: try gain(name(.queryNorm), c.headDimension),
        keyGain: try gain(name(.keyNorm), c.headDimension),
        postAttentionGain: try gain(name(.postAttentionNorm), c.width),
        preFeedForwardGain: try gain(name(.preFeedForwardNorm), c.width),
        postFeedForwardGain: try gain(name(.postFeedForwardNorm), c.width),
        query: try matrix(name(.query), [queries, c.width]),
        key: try matrix(name(.key), [keys, c.width]),
        value: try matrix(name(.value), [keys, c.width]),
        output: try matrix(name(.output), [c.width, queries]),
        gate: try matrix(name(.gate), [c.feedForward, c.width]),
        up: try matrix(name(.up), [c.feedForward, c.width]),
        down: try matrix(name(.down), [c.width, c.feedForward]))
    }
  }
}
