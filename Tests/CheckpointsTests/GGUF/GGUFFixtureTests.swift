import Checkpoints
import Foundation
import Tensors
import TestSupport
import Testing

/// Files written by ggml's Python package.
struct GGUFFixtureTests {
  @Test func everyTypeHasItsShapeAndBytes() throws {
    let file = try GGUFFile(Fixtures.url("gguf/types.gguf"))
    let expected = try SafetensorsFile(Fixtures.url("gguf/types.safetensors"))
    #expect(file.names == expected.names)
    #expect(try file.integers("fixture.mixed") == [1, 2, 3])
    for name in file.names {
      let info = try file.info(name)
      let dtype = try #require(info.dtype)
      let tensor = try file.tensor(name)
      let values = try expected.tensor(name).read()
      #expect(info.shape == (try expected.info(name).shape), "\(name)")
      #expect(tensor.shape == info.shape && tensor.dtype == dtype)
      #expect(dtype.rawValue == name.prefix { $0 != "v" }.trimmingCharacters(in: ["_"]))
      #expect(info.byteCount == values.count / dtype.blockSize * dtype.bytesPerBlock)
      if !dtype.isQuantised { #expect(try tensor.read() == values, "\(name)") }
    }
  }

  /// The fixture's fp32 values are ggml's own reading of the stored blocks.
  @Test(arguments: NativeBackend.InstructionSet.available)
  func everyTypeIsWidenedAsGGMLDoes(_ isa: NativeBackend.InstructionSet) throws {
    let backend = try NativeBackend(isa: isa, threads: 2)
    let file = try GGUFFile(Fixtures.url("gguf/types.gguf"))
    let expected = try SafetensorsFile(Fixtures.url("gguf/types.safetensors"))
    var widened: Set<DType> = []
    for name in file.names {
      let tensor = try file.tensor(name)
      guard ![.f64, .i8, .i32, .i64].contains(tensor.dtype) else {
        #expect(throws: TensorError.self) { try backend.widen(tensor) }
        continue
      }
      let values = try expected.tensor(name).read()
      // A multiply and an add may round once or twice.
      expectClose(
        try backend.widen(tensor).read(), values, rowLength: tensor.shape.last ?? 1, tolerance: 2e-7, name)
      widened.insert(tensor.dtype)
    }
    #expect(widened.isSuperset(of: DType.allCases.filter(\.isQuantised)))
  }

  @Test func aWholeModelIsDescribed() throws {
    let file = try GGUFFile(Fixtures.url("gguf/tiny-q8_0.gguf"))
    #expect(try file.string("general.architecture") == "gemma3")
    #expect(try file.integer("gemma3.embedding_length") == 32)
    #expect(try file.float("gemma3.rope.freq_base") == 1_000_000)
    #expect(try file.bool("tokenizer.ggml.add_bos_token"))
    #expect(try file.info("token_embd.weight").dtype == .q8_0)
    #expect(try file.info("token_embd.weight").shape == [300, 32])
    #expect(
      try file.info("blk.0.ffn_down.weight")
        == TensorInfo(
          shape: [32, 48], typeName: "F16", dtype: .f16, byteCount: 3072))
    let tokens = try file.strings("tokenizer.ggml.tokens")
    #expect(tokens.count == 300)
    #expect(tokens.string(at: 2) == "<bos>")
    #expect(try file.integers("tokenizer.ggml.token_type").count == 300)
    #expect(try file.floats("tokenizer.ggml.scores").prefix(1) == [-1000])
  }
}

@Suite(
  .enabled(
    if: Fixtures.realModel?.pathExtension == "gguf", "needs a real Gemma 3 GGUF: set GSCOPE_MODEL or run `make demo`"))
struct GGUFRealModelTests {
  @Test func opensInPlace() throws {
    let file = try GGUFFile(try #require(Fixtures.realModel))
    #expect(try file.string("general.architecture") == "gemma3")
    let width = try file.integer("gemma3.embedding_length")
    let tokens = try file.strings("tokenizer.ggml.tokens")
    #expect(tokens.count == 262_144)
    #expect(tokens.string(at: 2) == "<bos>")
    #expect(tokens.string(at: 105) == "<start_of_turn>")
    #expect(try file.floats("tokenizer.ggml.scores").count == tokens.count)
    #expect(try file.integers("tokenizer.ggml.token_type").count == tokens.count)
    #expect(try file.info("token_embd.weight").shape == [tokens.count, width])
    let size = try #require(
      FileManager.default.attributesOfItem(atPath: URL(filePath: file.path).resolvingSymlinksInPath().path)[.size]
        as? NSNumber
    ).intValue
    var total = 0
    for name in file.names {
      let tensor = try file.tensor(name)
      // A view of the whole mapping: nothing was copied.
      #expect(tensor.storage.byteCount == size)
      total += tensor.byteCount
    }
    #expect(total > size * 9 / 10 && total < size)
    for value in try file.tensor("output_norm.weight").read() { #expect(value.isFinite && value > 0) }
  }
}
