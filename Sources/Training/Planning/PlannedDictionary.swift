public import Dictionaries
public import Sites

/// A dictionary that might be trained: its sizes alone.
public struct PlannedDictionary: Equatable, Sendable {
  public let kind: DictionaryKind
  /// What is read: one site, or one for each layer of a multi-layer kind.
  public let reads: [Site]
  /// Where it writes, as many as it reads.
  public let writes: [Site]
  /// Features of each read.
  public let width: Int
  public let inputWidth: Int
  public let outputWidth: Int
  /// Active features a token, over all reads.
  public let l0: Int
  public let isAffine: Bool

  public init(
    kind: DictionaryKind, reads: [Site], writes: [Site], width: Int, inputWidth: Int, outputWidth: Int, l0: Int,
    isAffine: Bool = false
  ) {
    self.kind = kind
    self.reads = reads
    self.writes = writes
    self.width = width
    self.inputWidth = inputWidth
    self.outputWidth = outputWidth
    self.l0 = l0
    self.isAffine = isAffine
  }

  /// Sites whose activations it needs, each once.
  public var sites: Set<Site> { Set(reads).union(writes) }
  /// Features of all reads together.
  public var totalWidth: Int { width * reads.count }

  /// Numbers in its files, which for multi-layer kinds hold a decoder row for every (feature, layer), zero for the layers
  /// before the feature's own: for each read w_enc [d_in, F], b_enc and threshold [F], w_dec [F, writes, d_out],
  /// b_dec [d_out] and, if affine, the skip [d_in, d_out].
  public var storedParameters: Int { reads.count * (rest + width * writes.count * outputWidth) }

  /// Numbers that training can change: decoder rows only from a feature's own layer on, n (n + 1) / 2 of n² (feature layer,
  /// written layer) pairs.
  public var trainedParameters: Int {
    reads.count * rest + width * outputWidth * pairsOfLayers
  }

  /// Bytes of its fp32 files, headers left out.
  public var fileBytes: Int { storedParameters * 4 }

  /// Per read, without the decoder.
  private var rest: Int { inputWidth * width + 2 * width + outputWidth + (isAffine ? inputWidth * outputWidth : 0) }
  private var pairsOfLayers: Int { kind.isMultiLayer ? reads.count * (reads.count + 1) / 2 : 1 }
  /// Mean columns that a feature writes.
  private var meanColumns: Double { Double(outputWidth * pairsOfLayers) / Double(reads.count) }

  /// Operations a token when every product is dense, as autograd does it: encoder forward and its weights' gradient
  /// (2 + 2 for each encoder weight), decoder forward, activations' gradient and weights' gradient (2 + 2 + 2 for each
  /// decoder weight). No gradient goes to the inputs. Affine skips: 2 + 2 for each weight.
  public var denseFlops: Double {
    let features = Double(totalWidth)
    return features * (4 * Double(inputWidth) + 6 * meanColumns) + skipFlops
  }

  /// Operations a token as gemmascope trains: the dense product with the encoder.
  public var encoderFlops: Double { 2 * Double(totalWidth) * Double(inputWidth) + skipFlops }

  /// Operations a token on active (token, feature) pairs and those inside the kernel's window: decoder forward, activation
  /// gradient, decoder gradient (2 · columns each), encoder gradient (2 · d_in).
  public var pairFlops: Double {
    Double(l0) * (1 + PlanAssumptions.windowShare) * (6 * meanColumns + 2 * Double(inputWidth))
  }

  private var skipFlops: Double { isAffine ? 4 * Double(reads.count * inputWidth * outputWidth) : 0 }

  /// Numbers of the features that one step of `batch` tokens moves: at most every feature, at most one for each pair.
  public func touchedParameters(batch: Int) -> Double {
    let features = min(Double(totalWidth), Double(batch) * Double(l0))
    return features * (Double(inputWidth) + meanColumns)
  }

  /// Bytes of training state: each trained number and its second moment in fp32 (β1 = 0 keeps no first moment).
  public var stateBytes: Int { trainedParameters * 8 }

  /// Bytes that one rank of `ranks` holds: every `ranks`-th feature, and biases and skips whole.
  public func stateBytes(ranks: Int) -> Int {
    let shared = reads.count * (outputWidth + (isAffine ? inputWidth * outputWidth : 0))
    let local = (width + ranks - 1) / ranks
    return 8 * (shared + local * (reads.count * (inputWidth + 2) + outputWidth * pairsOfLayers))
  }

  /// Bytes of one step beside the state: inputs and targets of all sites, the normalised inputs, one plane of the
  /// concatenated targets for each Matryoshka prefix, and 20 bytes for each pair of the rank.
  public func stepBytes(batch: Int, prefixes: Int, ranks: Int) -> Int {
    let columns = writes.count * outputWidth
    let activations = 2 * reads.count * inputWidth + columns * (kind == .sae || kind == .crosscoder ? 1 : 2)
    let pairs = Int(Double(batch * l0) * (1 + PlanAssumptions.windowShare)) / max(ranks, 1)
    return 4 * batch * (activations + prefixes * columns) + 20 * pairs
  }

  /// Bytes that each rank sends in one step: the planes' sums (reduce-scatter and gather) and each token's L0.
  public func exchangedBytes(batch: Int, prefixes: Int, ranks: Int) -> Double {
    guard ranks > 1 else { return 0 }
    let numbers = Double(batch) * Double(prefixes * writes.count * outputWidth + 1)
    return 2 * Double(ranks - 1) / Double(ranks) * 4 * numbers
  }
}
