import Checkpoints
import Gemma

/// How much a model has to compute and to read, to set speeds against what the machine can do.
struct ModelWork {
  private let checkpoint: GemmaCheckpoint
  private var c: GemmaConfiguration { checkpoint.configuration }

  init(_ checkpoint: GemmaCheckpoint) { self.checkpoint = checkpoint }

  /// Floating-point operations of a pass over `tokens` tokens with logits at the last one: two for each weight of a
  /// projection and row, and for each pair of a query and a position it sees four times the head width (scores and
  /// their sum). The last block's output projection and MLP count for one row, the one that gets logits, since no other
  /// goes through them. Norms, rotations, activation functions and the unembedding of that row are not counted.
  func prefillOperations(_ tokens: Int) -> Double {
    let (queries, keys) = (c.queryHeads * c.headDimension, c.keyValueHeads * c.headDimension)
    let inputs = Double(c.width * (queries + 2 * keys))
    let rest = Double(queries * c.width + 3 * c.width * c.feedForward)
    let n = Double(tokens)
    let weights = n * (Double(c.layers) * inputs + Double(c.layers - 1) * rest) + rest
    let pairs = c.isGlobal.reduce(0) { sum, isGlobal in
      sum + (1...max(tokens, 1)).reduce(0) { $0 + (isGlobal ? $1 : min($1, c.slidingWindow)) }
    }
    return 2 * weights + 4 * Double(pairs) * Double(queries)
  }

  /// Bytes that one step reads when it stands at `position`: every weight as stored, once (of the embedding, which is
  /// also the head, all rows), and the keys and values that its queries see.
  func decodeBytes(position: Int) -> Double {
    let row = 2 * c.keyValueHeads * c.headDimension * 4
    let seen = c.isGlobal.reduce(0) { $0 + row * ($1 ? position : min(position, c.slidingWindow)) }
    return Double(weightBytes + seen)
  }

  /// Without those of an image encoder, and without an embedding that is not the head too.
  private var weightBytes: Int {
    let hasHead = checkpoint.source.names.contains { $0 == "output.weight" || $0.hasSuffix("lm_head.weight") }
    return bytes { name in
      let isEmbedding = name == "token_embd.weight" || name.hasSuffix("embed_tokens.weight")
      return !name.contains("vision") && !name.contains("multi_modal") && !(hasHead && isEmbedding)
    }
  }

  private func bytes(_ isCounted: (String) -> Bool) -> Int {
    checkpoint.source.names.filter(isCounted).reduce(0) { sum, name in
      sum + ((try? checkpoint.source.info(name).byteCount) ?? 0)
    }
  }
}
