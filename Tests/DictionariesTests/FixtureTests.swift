import Checkpoints
import Dictionaries
import Foundation
import Sites
import Tensors
import TestSupport
import Testing

/// Dictionaries in the published layouts against results that NumPy computed from the same files.
struct FixtureTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let path: String
    let kind: DictionaryKind
    let reads: [Site]
    let writes: [Site]
    let width: Int
    var isAffine = false
    var model: String? = "google/gemma-3-270m"
    var testDescription: String { path }
  }

  static let cases: [Case] = [
    Case(
      path: "resid_post/layer_3_width_37_l0_small", kind: .sae, reads: [.residPost(3)], writes: [.residPost(3)],
      width: 37),
    Case(
      path: "resid_post_all/layer_6_width_37_l0_small", kind: .sae, reads: [.residPost(6)], writes: [.residPost(6)],
      width: 37, model: nil),
    Case(
      path: "attn_out/layer_5_width_53_l0_medium", kind: .sae, reads: [.attnOut(5)], writes: [.attnOut(5)], width: 53),
    Case(path: "mlp_out/layer_2_width_37_l0_big", kind: .sae, reads: [.mlpOut(2)], writes: [.mlpOut(2)], width: 37),
    Case(
      path: "transcoder/layer_4_width_53_l0_small", kind: .transcoder, reads: [.mlpIn(4)], writes: [.mlpOut(4)],
      width: 53),
    Case(
      path: "transcoder/layer_4_width_53_l0_small_affine", kind: .transcoder, reads: [.mlpIn(4)], writes: [.mlpOut(4)],
      width: 53, isAffine: true),
    Case(
      path: "transcoder_all/layer_1_width_37_l0_big_affine", kind: .transcoder, reads: [.mlpIn(1)],
      writes: [.mlpOut(1)],
      width: 37, isAffine: true, model: nil),
    Case(
      path: "crosscoder/layer_1_2_4_6_width_148_l0_medium", kind: .crosscoder,
      reads: [1, 2, 4, 6].map { .residPost($0) },
      writes: [1, 2, 4, 6].map { .residPost($0) }, width: 37),
    Case(
      path: "clt/width_203_l0_big", kind: .clt, reads: (0..<7).map { .mlpIn($0) }, writes: (0..<7).map { .mlpOut($0) },
      width: 29),
    Case(
      path: "clt/width_203_l0_big_affine", kind: .clt, reads: (0..<7).map { .mlpIn($0) },
      writes: (0..<7).map { .mlpOut($0) }, width: 29, isAffine: true),
    Case(
      path: "gemma-scope-2b-pt-res/layer_3/width_37/average_l0_9", kind: .sae, reads: [.residPost(3)],
      writes: [.residPost(3)], width: 37, model: "google/gemma-2-2b"),
    Case(
      path: "gemma-scope-2b-pt-att/layer_5/width_53/average_l0_11", kind: .sae, reads: [.attnOut(5)],
      writes: [.attnOut(5)], width: 53, model: "google/gemma-2-2b"),
  ]

  @Test(arguments: cases, [false, true])
  func agreesWithNumPy(_ fixture: Case, isStreamed: Bool) throws {
    let folder = Fixtures.url("dictionaries/\(fixture.path)")
    let dictionary = try SparseDictionary(
      contentsOf: folder, backend: NativeBackend(threads: 2), residentLimit: isStreamed ? 0 : nil)
    let shape = dictionary.shape
    #expect(dictionary.isStreamed == isStreamed)
    #expect(dictionary.name == fixture.path)
    #expect(dictionary.modelName == fixture.model)
    #expect(shape.kind == fixture.kind)
    #expect(shape.reads == fixture.reads)
    #expect(shape.writes == fixture.writes)
    #expect(shape.width == fixture.width)
    #expect(shape.isAffine == fixture.isAffine)

    let expected = try SafetensorsFile(folder.appending(path: "expected.safetensors"))
    let inputs = try split(expected.tensor("x"), layers: shape.reads.count)
    let (code, outputs) = try dictionary.reconstruct(inputs)
    for (read, features) in try split(expected.tensor("f"), layers: shape.reads.count).enumerated() {
      let wanted = try features.read().map { Double($0) }
      let found = dense(code.layers[read], width: shape.width)
      #expect(zip(found, wanted).allSatisfy { ($0 > 0) == ($1 > 0) }, "the same features are on")
      #expect(relativeDifference(found, wanted) < 1e-5)
      // Planted: 0 sits exactly on its threshold, 1 a step above it, 2 at zero with threshold zero.
      for row in 0..<code.rows {
        #expect(code.layers[read].activation(ofFeature: 0, inRow: row) == 0)
        #expect(code.layers[read].activation(ofFeature: 1, inRow: row) == 0.5)
        #expect(code.layers[read].activation(ofFeature: 2, inRow: row) == 0)
      }
    }
    for (write, target) in try split(expected.tensor("y"), layers: shape.writes.count).enumerated() {
      let wanted = try target.read().map { Double($0) }
      #expect(try relativeDifference(outputs[write].read(), wanted) < 1e-5)
      let alone = try dictionary.decode(
        DictionaryCode(Array(code.layers[...write])), write: write, input: inputs[write])
      #expect(try alone.read() == outputs[write].read(), "one write alone is the same sum")
    }
  }

  /// [T, layers, d] as one [T, d] for each layer; [T, d] as itself.
  private func split(_ tensor: Tensor, layers: Int) throws -> [Tensor] {
    guard tensor.shape.count == 3 else { return [tensor] }
    #expect(tensor.shape[1] == layers)
    let values = try tensor.read()
    let (tokens, width) = (tensor.shape[0], tensor.shape[2])
    return try (0..<layers).map { layer in
      var part: [Float] = []
      for token in 0..<tokens {
        let start = (token * layers + layer) * width
        part += values[start..<start + width]
      }
      return try Tensor(part, shape: [tokens, width])
    }
  }

  @Test func namedFilesOpenToo() throws {
    let backend = try NativeBackend(threads: 1)
    let npz = Fixtures.url("dictionaries/gemma-scope-2b-pt-res/layer_3/width_37/average_l0_9/params.npz")
    #expect(try SparseDictionary(contentsOf: npz, backend: backend).shape.reads == [.residPost(3)])
    let file = Fixtures.url("dictionaries/resid_post/layer_3_width_37_l0_small/params.safetensors")
    let dictionary = try SparseDictionary(contentsOf: file, name: "mine", backend: backend)
    #expect(dictionary.name == "mine")
    #expect(dictionary.widthLabel == "37")
    #expect(dictionary.l0Label == "small")
    #expect(dictionary.targetL0 == 18)
  }
}
