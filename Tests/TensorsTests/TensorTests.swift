import Foundation
import Tensors
import TestSupport
import Testing

/// Views, reading and bounds of tensors.
@Suite struct TensorTests {
  @Test func readingAndReshaping() throws {
    let tensor = try Tensor([1, 2, 3, 4, 5, 6], shape: [2, 3])
    #expect(try tensor.read() == [1, 2, 3, 4, 5, 6])
    #expect(try tensor.rows(1..<2).read() == [4, 5, 6])
    #expect(try tensor.rows(2..<2).count == 0)
    #expect(try tensor.reshaped([3, 2]).shape == [3, 2])
    #expect(tensor.rowLength == 3 && tensor.rows == 2 && tensor.byteCount == 24)
    #expect(throws: TensorError.self) { try tensor.rows(1..<3) }
    #expect(throws: TensorError.self) { try tensor.reshaped([4, 2]) }
    #expect(throws: TensorError.self) { try tensor.reshaped([-2, -3]) }
    #expect(throws: TensorError.self) { try Tensor([1, 2], shape: [3]) }
    #expect(throws: TensorError.self) { try tensor.readIntegers() }
    #expect(try Tensor(integers: [Int64(7), -1], shape: [2]).readIntegers() == [7, -1])
    #expect(throws: TensorError.self) { try Tensor(integers: [Int32(7)], shape: [1]).read() }
  }

  @Test func impossibleShapesAreRefused() throws {
    let storage = try HostStorage(byteCount: 64)
    #expect(throws: TensorError.self) { try Tensor(storage: storage, shape: [17], dtype: .f32) }
    #expect(throws: TensorError.self) { try Tensor(storage: storage, byteOffset: 4, shape: [16], dtype: .f32) }
    #expect(throws: TensorError.self) { try Tensor(storage: storage, byteOffset: 65, shape: [0], dtype: .f32) }
    #expect(throws: TensorError.self) { try Tensor(storage: storage, byteOffset: -1, shape: [1], dtype: .i8) }
    #expect(throws: TensorError.self) { try Tensor(storage: storage, shape: [Int.max, 2], dtype: .i8) }
    #expect(throws: TensorError.self) { try Tensor(storage: storage, shape: [Int.max / 2], dtype: .f64) }
    #expect(throws: TensorError.self) { try Tensor(storage: storage, shape: [2, 16], dtype: .q8_0) }
    #expect(throws: TensorError.self) { try HostStorage(byteCount: .max) }
  }

  @Test func shapesWhoseProductsOverflowAreRefused() throws {
    for shape in [[1 << 40, 1 << 40], [0, 1 << 62, 4], [1 << 62, 4, 0], [0, 1 << 61], [1 << 40, 0, 1 << 40]] {
      #expect(throws: TensorError.self) { try Tensor([], shape: shape) }
      #expect(throws: TensorError.self) { try Tensor(integers: [Int64](), shape: shape) }
    }
    #expect(try Tensor([], shape: [0, 1 << 40]).rowLength == 1 << 40)
  }

  @Test func rowScalesBelongToRows() throws {
    let (values, scales) = (try HostStorage(byteCount: 6), try HostStorage(byteCount: 12))
    for i in 0..<6 { values.bytes.storeBytes(of: Int8(i), toByteOffset: i, as: Int8.self) }
    for i in 0..<3 { scales.bytes.storeBytes(of: Float(i + 1), toByteOffset: i * 4, as: Float.self) }
    let scaled = try Tensor(storage: values, shape: [3, 2], dtype: .i8, rowScale: scales)
    #expect(try scaled.read() == [0, 1, 4, 6, 12, 15])
    #expect(try scaled.reshaped([3, 1, 2]).read() == scaled.read())
    #expect(throws: TensorError.self) { try scaled.reshaped([2, 3]) }
    #expect(throws: TensorError.self) { try scaled.reshaped([6]) }
    #expect(throws: TensorError.self) {
      try Tensor(storage: values, shape: [6, 1], dtype: .i8, rowScale: scales)
    }
    #expect(throws: TensorError.self) {
      try Tensor(storage: values, shape: [3, 1], dtype: .f16, rowScale: scales)
    }
  }

  @Test func elementsThatAreNotAlignedAreRead() throws {
    let storage = try HostStorage(byteCount: 9)
    storage.bytes.baseAddress.map { ($0 + 1).copyMemory(from: [Float(1.5), -2], byteCount: 8) }
    #expect(try Tensor(storage: storage, byteOffset: 1, shape: [2], dtype: .f32).read() == [1.5, -2])
  }

  @Test func halfPrecisionWidensExactly() throws {
    let cases: [(UInt16, Float)] = [
      (0x0000, 0), (0x3C00, 1), (0xC000, -2), (0x7BFF, 65504), (0x0001, 0x1p-24), (0x03FF, 1023 * 0x1p-24),
      (0x0400, 0x1p-14), (0x7C00, .infinity), (0xFC00, -.infinity), (0x3555, 0.333251953125),
    ]
    for (bits, value) in cases { #expect(Float(halfBits: bits) == value) }
    #expect(Float(halfBits: 0x7E00).isNaN)
    #expect(Float(halfBits: 0x8000).sign == .minus)
    let storage = try HostStorage(byteCount: 4)
    storage.bytes.storeBytes(of: UInt16(0x3C00), toByteOffset: 0, as: UInt16.self)
    storage.bytes.storeBytes(of: UInt16(0x4000), toByteOffset: 2, as: UInt16.self)
    #expect(try Tensor(storage: storage, shape: [2], dtype: .f16).read() == [1, 2])
    #expect(try Tensor(storage: storage, shape: [2], dtype: .bf16).read() == [0.0078125, 2])
  }

  @Test func mappedFilesAreReadInPlace() throws {
    let folder = try TemporaryDirectory()
    let file = try folder.write([0, 0, 128, 63, 0, 0, 0, 64], as: "two.bin")
    let mapped = try MappedFile(file)
    #expect(mapped.bytes.count == 8)
    mapped.prefetch(0..<8)
    mapped.release(0..<100)
    #expect(try Tensor(storage: HostStorage(mapping: mapped), shape: [2], dtype: .f32).read() == [1, 2])
    #expect(try MappedFile(folder.write([], as: "empty")).bytes.isEmpty)
    #expect(throws: TensorError.self) { try MappedFile(folder.url.appending(path: "absent")) }
    #expect(throws: TensorError.self) { try MappedFile(folder.url) }
  }

  /// Opening a named pipe would wait for its writer.
  @Test(.timeLimit(.minutes(1))) func pipesAreRefused() throws {
    let folder = try TemporaryDirectory()
    let pipe = folder.url.appending(path: "pipe")
    try #require(mkfifo(pipe.path, 0o600) == 0)
    #expect(throws: TensorError.file(path: pipe.path, reason: "is not a regular file")) { try MappedFile(pipe) }
  }

  @Test func sparseCodesAreChecked() throws {
    let code = try SparseCode(rowOffsets: [0, 2, 2, 3], features: [1, 7, 4], activations: [0.5, 2, 3])
    #expect(code.rows == 3 && code.count == 3 && code.entries(ofRow: 1).isEmpty)
    #expect(code.activation(ofFeature: 7, inRow: 0) == 2)
    #expect(code.activation(ofFeature: 7, inRow: 2) == 0)
    #expect(SparseCode(emptyRows: 2).rows == 2)
    for offsets in [[], [1, 3], [0, 2], [0, 3, 2], [0, 4]] {
      #expect(throws: TensorError.self) {
        try SparseCode(rowOffsets: offsets, features: [1, 7, 4], activations: [0.5, 2, 3])
      }
    }
    for features in [[7, 1, 4], [1, 1, 4], [-1, 7, 4], [1, 7, -4]] as [[Int32]] {
      #expect(throws: TensorError.self) {
        try SparseCode(rowOffsets: [0, 2, 2, 3], features: features, activations: [0.5, 2, 3])
      }
    }
  }
}
