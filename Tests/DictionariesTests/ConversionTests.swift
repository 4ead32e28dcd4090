import Checkpoints
import Dictionaries
import Foundation
import Sites
import Tensors
import TestSupport
import Testing

/// Dictionaries written in other tools' layouts and read back.
struct ConversionTests {
  private let backend: NativeBackend
  private let folder: TemporaryDirectory

  init() throws {
    backend = try NativeBackend(threads: 1)
    folder = try TemporaryDirectory()
  }

  /// Affine transcoders and the like with equal widths, which sparsify and circuit-tracer ask for.
  private func parameters(_ kind: RandomParameters.Kind, seed: Int, d: Int, width: Int) throws -> DictionaryParameters {
    var random = SeededRandom(seed: UInt64(seed))
    let layers = kind.kind == .clt ? 3 : 1
    let same = kind.kind == .sae || kind.kind == .crosscoder
    let shape = try DictionaryShape(
      checking: kind.kind, reads: (0..<layers).map { same ? .residPost($0 + seed) : .mlpIn($0) },
      writes: (0..<layers).map { same ? .residPost($0 + seed) : .mlpOut($0) }, width: width, inputWidth: d,
      outputWidth: d, isAffine: kind.isAffine)
    return try RandomParameters.make(kind, random: &random, like: shape)
  }

  private static let sizes = [(1, 1), (1, 5), (7, 1), (17, 31), (33, 64), (64, 97)]
  private static let single = RandomParameters.kinds.filter { !$0.kind.isMultiLayer }

  @Test(arguments: single, sizes)
  func saelensHoldsEverySingleLayerDictionary(_ kind: RandomParameters.Kind, sizes: (d: Int, width: Int)) throws {
    let original = try parameters(kind, seed: sizes.d, d: sizes.d, width: sizes.width)
    let place = folder.url.appending(path: "saelens")
    try original.write(as: .saelens, to: place)
    #expect(try DictionaryParameters(importing: place, backend: backend) == original)
  }

  @Test(arguments: single, sizes)
  func sparsifyComesBackWithItsThresholds(_ kind: RandomParameters.Kind, sizes: (d: Int, width: Int)) throws {
    let original = try parameters(kind, seed: sizes.d, d: sizes.d, width: sizes.width)
    let place = folder.url.appending(path: "sparsify")
    // Thresholds above zero: only when asked for.
    #expect(throws: ConversionError.self) { try original.write(as: .sparsify, to: place) }
    #expect(!FileManager.default.fileExists(atPath: place.path))
    #expect(throws: DictionaryError.self) { try original.write(as: .sparsify, to: place, topK: sizes.width + 1) }
    try original.write(as: .sparsify, to: place, topK: 1)
    let back = try DictionaryParameters(importing: place, backend: backend)
    #expect(close(back.layers[0].encoderBias, original.layers[0].encoderBias))
    var expected = original
    expected.layers[0].encoderBias = back.layers[0].encoderBias
    #expect(back == expected)
    // Without what this program left beside it, k < F says too little.
    try FileManager.default.removeItem(at: place.appending(path: "thresholds.safetensors"))
    if sizes.width > 1 {
      #expect(throws: ConversionError.self) { try DictionaryParameters(importing: place, backend: backend) }
    }
    let stated = try DictionaryParameters(importing: place, threshold: 0.5, backend: backend)
    #expect(stated.layers[0].threshold == [Float](repeating: 0.5, count: sizes.width))
  }

  @Test func sparsifyIsExactWithoutThresholds() throws {
    var original = try parameters(.init(kind: .sae, isAffine: false), seed: 3, d: 9, width: 20)
    original.layers[0].threshold = [Float](repeating: 0, count: 20)
    let place = folder.url.appending(path: "sparsify")
    try original.write(as: .sparsify, to: place)
    try FileManager.default.removeItem(at: place.appending(path: "thresholds.safetensors"))
    let back = try DictionaryParameters(importing: place, backend: backend)
    #expect(back.layers[0].threshold == original.layers[0].threshold && back.shape == original.shape)
  }

  @Test(arguments: RandomParameters.kinds.filter { $0.kind == .transcoder || $0.kind == .clt }, sizes)
  func circuitTracerComesBack(_ kind: RandomParameters.Kind, sizes: (d: Int, width: Int)) throws {
    var original = try parameters(kind, seed: sizes.d, d: sizes.d, width: sizes.width)
    original.targetL0 = nil
    original.layers[0].threshold[0] = -0.25
    let place = folder.url.appending(path: "circuit-tracer")
    guard kind.kind == .transcoder || !kind.isAffine else {
      #expect(throws: ConversionError.self) { try original.write(as: .circuitTracer, to: place) }
      return
    }
    try original.write(as: .circuitTracer, to: place)
    // Below zero nothing passes either way.
    original.layers[0].threshold[0] = 0
    #expect(try DictionaryParameters(importing: place, backend: backend) == original)
    if kind.kind == .transcoder {
      let file = place.appending(path: "layer_0.safetensors")
      #expect(try DictionaryParameters(importing: file, backend: backend) == original)
    }
    try FileManager.default.removeItem(at: place.appending(path: "config.yaml"))
    #expect(throws: ConversionError.self) { try DictionaryParameters(importing: place, backend: backend) }
  }

  @Test(arguments: RandomParameters.kinds)
  func whatALayoutCannotHoldIsRefused(_ kind: RandomParameters.Kind) throws {
    let original = try parameters(kind, seed: 2, d: 6, width: 10)
    let place = folder.url.appending(path: "refused")
    if kind.kind.isMultiLayer {
      for format in [DictionaryFormat.saelens, .sparsify] {
        #expect(throws: ConversionError.self) { try original.write(as: format, to: place, topK: 2) }
      }
    }
    if kind.kind == .sae || kind.kind == .crosscoder {
      #expect(throws: ConversionError.self) { try original.write(as: .circuitTracer, to: place) }
    }
    _ = try folder.write([1], as: "taken")
    for format in DictionaryFormat.allCases {
      #expect(throws: ConversionError.occupied(path: folder.url.path)) {
        try original.write(as: format, to: folder.url, topK: 2)
      }
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path) == ["taken"])
  }

  @Test(arguments: [
    (Site.residPost(9), "blocks.9.hook_resid_post", "model.layers.9.output", "none"),
    (.attnOut(3), "blocks.3.attn.hook_z", "model.layers.3.self_attn.o_proj.input", "hook_z"),
    (.mlpOut(0), "blocks.0.hook_mlp_out", "model.layers.0.post_feedforward_layernorm.output", "none"),
  ])
  func saelensNamesTheHooks(_ site: Site, hook: String, huggingFace: String, reshape: String) throws {
    var random = SeededRandom(seed: 1)
    let shape = try DictionaryShape(
      checking: .sae, reads: [site], writes: [site], width: 5, inputWidth: 4, outputWidth: 4)
    let place = folder.url.appending(path: "saelens")
    try RandomParameters.make(.init(kind: .sae, isAffine: false), random: &random, like: shape)
      .write(as: .saelens, to: place)
    let json = try #require(
      JSONSerialization.jsonObject(with: Data(contentsOf: place.appending(path: "cfg.json"))) as? [String: Any])
    let metadata = try #require(json["metadata"] as? [String: Any])
    #expect(json["architecture"] as? String == "jumprelu")
    #expect(json["reshape_activations"] as? String == reshape)
    #expect(metadata["hook_name"] as? String == hook)
    #expect(metadata["hf_hook_name"] as? String == huggingFace)
    #expect(metadata["model_name"] as? String == "google/gemma-3-270m")
    // Read by TransformerLens' name alone, as SAELens' own files have it.
    try edit(place.appending(path: "cfg.json"), "\"hf_hook_name\"", "\"other\"")
    #expect(try DictionaryParameters(importing: place, backend: backend).shape.reads == [site])
  }

  @Test func saelensFoldsTheBiasThatItSubtracts() throws {
    let original = try parameters(.init(kind: .sae, isAffine: false), seed: 4, d: 5, width: 8)
    let place = folder.url.appending(path: "saelens")
    try original.write(as: .saelens, to: place)
    let config = place.appending(path: "cfg.json")
    try edit(config, "\"apply_b_dec_to_input\": false", "\"apply_b_dec_to_input\": true")
    let folded = try DictionaryParameters(importing: place, backend: backend).layers[0].encoderBias
    let layer = original.layers[0]
    let expected: [Float] = (0..<8).map { feature in
      let shift = (0..<5).reduce(0.0) { $0 + Double(layer.decoderBias[$1]) * Double(layer.encoder[$1 * 8 + feature]) }
      return layer.encoderBias[feature] - Float(shift)
    }
    #expect(close(folded, expected))
    for (old, new) in [
      ("\"normalize_activations\": \"none\"", "\"normalize_activations\": \"layer_norm\""),
      ("\"architecture\": \"jumprelu\"", "\"architecture\": \"gated\""),
      ("\"architecture\": \"jumprelu\"", "\"architecture\": \"standard\""),  // holds a threshold
      ("\"d_in\"", "\"activation_fn\": \"tanh-relu\", \"d_in\""), ("\"device\": \"cpu\"", "\"device\": "),
      ("\"architecture\": \"jumprelu\"", "\"architecture\": 7"),
      ("\"device\"", "\"architecture\": \"jumprelu\", \"device\""),
      ("blocks.4.hook_resid_post", "blocks.4.hook_resid_mid"),
    ] {
      let text = try String(contentsOf: config, encoding: .utf8)
      try edit(config, old, new)
      if old.hasPrefix("blocks") { try edit(config, "\"hf_hook_name\"", "\"other\"") }
      #expect(throws: ConversionError.self, "\(new)") { try DictionaryParameters(importing: place, backend: backend) }
      try Data(text.utf8).write(to: config)
    }
  }

  @Test func hostileWeightsAreRefused() throws {
    let original = try parameters(.init(kind: .transcoder, isAffine: true), seed: 0, d: 6, width: 10)
    for format in [DictionaryFormat.saelens, .sparsify, .circuitTracer] {
      let place = folder.url.appending(path: format.rawValue)
      try original.write(as: format, to: place, topK: format == .sparsify ? 2 : nil)
      let name = try #require(
        FileManager.default.contentsOfDirectory(atPath: place.path).first {
          $0.hasSuffix("safetensors") && !$0.hasPrefix("thresholds")
        })
      let file = place.appending(path: name)
      let bytes = try Data(contentsOf: file)
      let source = try SafetensorsFile(file)
      // Copies: the file is written over.
      let tensors = try Dictionary(
        uniqueKeysWithValues: source.names.map { name in
          (name, try Tensor(source.tensor(name).read(), shape: source.info(name).shape))
        })
      func refused(_ changed: [String: Tensor], _ what: String) throws {
        try SafetensorsWriter.write(changed, to: file)
        #expect(throws: (any Error).self, "\(format) \(what)") {
          try DictionaryParameters(importing: place, backend: backend)
        }
      }
      for (name, tensor) in tensors {
        var changed = tensors
        changed[name] = nil
        // Two are optional by the layout: a missing skip changes the kind, a missing threshold means ReLU.
        if format != .circuitTracer || !["W_skip", "activation_function.threshold"].contains(name) {
          try refused(changed, "without \(name)")
        }
        changed[name] = try Tensor(tensor.read() + [0], shape: [tensor.count + 1])
        try refused(changed, "longer \(name)")
        var values = try tensor.read()
        values[values.count / 2] = .nan
        changed[name] = try Tensor(values, shape: tensor.shape)
        try refused(changed, "NaN in \(name)")
        changed[name] = try Tensor(integers: [Int32](repeating: 1, count: tensor.count), shape: tensor.shape)
        try refused(changed, "integers in \(name)")
      }
      var more = tensors
      more["scaling_factor"] = try Tensor([1], shape: [1])
      try refused(more, "another tensor")
      for count in [0, 1, 8, 40, bytes.count / 2, bytes.count - 1] {
        try bytes.prefix(count).write(to: file)
        #expect(throws: (any Error).self, "\(format) cut to \(count)") {
          try DictionaryParameters(importing: place, backend: backend)
        }
      }
    }
    for name in ["cfg.json", "W_enc_0.safetensors", "W_dec_5000.safetensors"] {
      let place = folder.url.appending(path: "only-\(name)")
      try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
      try Data("{}".utf8).write(to: place.appending(path: name))
      #expect(throws: ConversionError.self) { try DictionaryParameters(importing: place, backend: backend) }
    }
  }

  @Test(arguments: [DictionaryFormat.gemmaScope2, .compact, .saelens, .circuitTracer])
  func aSuiteIsConvertedAsAWhole(_ format: DictionaryFormat) throws {
    let source = folder.url.appending(path: "suite")
    var entries: [String] = []
    for layer in 0..<3 {
      var random = SeededRandom(seed: UInt64(layer))
      let shape = try DictionaryShape(
        checking: .transcoder, reads: [.mlpIn(layer)], writes: [.mlpOut(layer)], width: 12, inputWidth: 6,
        outputWidth: 6, isAffine: true)
      let path = "transcoder_all/layer_\(layer)_width_12_l0_small_affine"
      try RandomParameters.make(.init(kind: .transcoder, isAffine: true), random: &random, like: shape)
        .write(to: source.appending(path: path), training: "{}")
      entries.append(
        #"{"path":"\#(path)","kind":"transcoder","sites":["mlp_in.\#(layer)","mlp_out.\#(layer)"],"#
          + #""width":12,"affine":true}"#
      )
    }
    let text =
      #"{"schema":1,"model":{"name":"google/gemma-3-270m"},"dictionaries":[\#(entries.joined(separator: ","))]}"#
    try Data(text.utf8).write(to: source.appending(path: "suite.json"))
    let suite = try Suite(contentsOf: source)
    let output = folder.url.appending(path: "out")
    #expect(try suite.convert(to: format, in: output, backend: backend).count == 3)
    switch format {
    case .circuitTracer:
      #expect(
        try FileManager.default.contentsOfDirectory(atPath: output.path).sorted()
          == ["config.yaml", "layer_0.safetensors", "layer_1.safetensors", "layer_2.safetensors"])
    case .saelens:
      #expect(!Suite.isSuite(output))
      for entry in suite.entries {
        let original = try DictionaryParameters(importing: suite.url(of: entry), backend: backend)
        #expect(try DictionaryParameters(importing: output.appending(path: entry.path), backend: backend) == original)
      }
    default:
      let copy = try Suite(contentsOf: output)
      #expect(copy.entries == suite.entries)
      for entry in copy.entries {
        #expect(try SparseDictionary(contentsOf: copy.url(of: entry), backend: backend).shape.isAffine)
        #expect(try Suite.training(of: copy.url(of: entry)) != nil)
      }
    }
    // A second time the place is taken, and an entry that fails leaves nothing.
    #expect(throws: ConversionError.self) { try suite.convert(to: format, in: output, backend: backend) }
    try FileManager.default.removeItem(at: source.appending(path: "transcoder_all/layer_2_width_12_l0_small_affine"))
    let before = try FileManager.default.contentsOfDirectory(atPath: folder.url.path).sorted()
    #expect(throws: (any Error).self) {
      try suite.convert(to: format, in: folder.url.appending(path: "failed"), backend: backend)
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path).sorted() == before)
  }

  private func edit(_ file: URL, _ old: String, _ new: String) throws {
    let text = try String(contentsOf: file, encoding: .utf8)
    #expect(text.contains(old))
    try Data(text.replacingOccurrences(of: old, with: new).utf8).write(to: file)
  }

  private func close(_ a: [Float], _ b: [Float]) -> Bool {
    a.count == b.count && zip(a, b).allSatisfy { abs($0 - $1) <= 1e-5 * max(1, abs($1)) }
  }
}
