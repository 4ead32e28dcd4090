import Checkpoints
import Tensors
import TestSupport
import Testing

struct NPZPythonTests {
  private let matrix = (0..<12).map { Float($0) / 4 }

  @Test func readsWhatNumPyCompressed() throws {
    let file = try npz([UInt8](base64: NPZPythonFiles.compressed))
    #expect(
      file.names == [
        "W_enc", "bools", "double", "empty", "fortran", "half", "i1", "i4", "i8", "scalar", "text", "vector_f",
      ])
    func expect(_ name: String, _ shape: [Int], _ dtype: DType, _ values: [Float]) throws {
      let tensor = try file.tensor(name)
      #expect(tensor.shape == shape && tensor.dtype == dtype)
      #expect(try tensor.read() == values)
      #expect(try file.info(name).shape == shape)
    }
    try expect("W_enc", [3, 4], .f32, matrix)
    try expect("half", [4], .f16, Array(matrix.prefix(4)))
    try expect("double", [3, 4], .f64, matrix)
    try expect("i1", [2], .i8, [-128, 127])
    try expect("scalar", [], .f32, [2.5])
    try expect("empty", [0, 3], .f32, [])
    try expect("vector_f", [3, 1], .f32, [0, 1, 2])
    try expect("fortran", [2, 3, 4], .f32, (0..<24).map { Float($0) })
    #expect(try file.tensor("i4").readIntegers() == Array(-3..<4))
    #expect(try file.tensor("i8").readIntegers() == [1 << 40, -1])
    #expect(try file.info("bools") == TensorInfo(shape: [1], typeName: "|b1", dtype: nil, byteCount: 1))
    #expect(fault { try file.tensor("text") }.contains("NumPy type '<U2' is not supported"))
  }

  @Test func readsWhatNumPyStored() throws {
    let file = try npz([UInt8](base64: NPZPythonFiles.stored))
    #expect(file.names == ["W_enc", "fortran", "i1"])
    #expect(try file.tensor("W_enc").read() == matrix)
    #expect(try file.tensor("fortran").read() == (0..<24).map { Float($0) })
    #expect(try file.tensor("i1").read() == [-128, 127])
  }

  @Test func readsLaterVersionsOfTheArrayFormat() throws {
    let file = try npz([UInt8](base64: NPZPythonFiles.versions))
    #expect(file.names == ["three", "two"])
    for name in file.names {
      #expect(try file.tensor(name).shape == [1, 4])
      #expect(try file.tensor(name).read() == Array(matrix.prefix(4)))
    }
    #expect(throws: CheckpointError.missingTensor(file: "a.npz", tensor: "notes")) { try file.tensor("notes") }
  }

  /// Column-major arrays of random shapes and element sizes against an index computed the plain way.
  @Test(arguments: 0..<60 as Range<UInt64>)
  func columnMajorArraysAreTransposed(_ seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let shape = (0..<random.int(1...4)).map { _ in [1, 2, 3, 5, 7][random.int(0...4)] }
    let (descr, size) = [("<f8", 8), ("<f4", 4), ("<f2", 2), ("|i1", 1)][random.int(0...3)]
    let count = shape.reduce(1, *)
    let data = (0..<count * size).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    let text = "(\(shape.map { "\($0)," }.joined()))"
    let array = ZipBytes.npy(descr, text, order: "True", data)
    let tensor = try npz(ZipBytes(entries: [.init("a.npy", stored: array)]).all).tensor("a")
    #expect(tensor.shape == shape)
    var expected: [UInt8] = []
    for linear in 0..<count {
      var rest = linear
      var index: [Int] = []
      for length in shape.reversed() {
        index.insert(rest % length, at: 0)
        rest /= length
      }
      var at = 0
      for axis in shape.indices.reversed() { at = at * shape[axis] + index[axis] }
      expected += data[at * size..<(at + 1) * size]
    }
    #expect(try tensor.bytes() == expected)
  }
}
