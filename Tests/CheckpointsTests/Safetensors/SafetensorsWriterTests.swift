import Checkpoints
import Foundation
import Tensors
import TestSupport
import Testing

struct SafetensorsWriterTests {
  let folder: TemporaryDirectory
  let url: URL

  init() throws {
    folder = try TemporaryDirectory()
    url = folder.url.appending(path: "a.safetensors")
  }

  var left: [String] {
    get throws { try FileManager.default.contentsOfDirectory(atPath: folder.url.path) }
  }

  @Test func piecesMayComeInAnyOrder() throws {
    let writer = try SafetensorsWriter(
      url, layout: [.init("a", shape: [2, 2], dtype: .f32), .init("b", shape: [3], dtype: .i32)])
    try writer.write(Tensor(integers: [7, 8, 9] as [Int32], shape: [3]), to: "b")
    for row in [1, 0] {
      try [UInt8](littleEndian: [Float(row), 0.5]).withUnsafeBytes { try writer.write($0, to: "a", at: row * 8) }
    }
    #expect(!FileManager.default.fileExists(atPath: url.path))
    try writer.finish()
    let file = try SafetensorsFile(url)
    #expect(try file.tensor("a").read() == [0, 0.5, 1, 0.5])
    #expect(try file.tensor("b").readIntegers() == [7, 8, 9])
    #expect(try left == ["a.safetensors"])
  }

  /// Memory that is not on the host is fetched a piece at a time.
  private final class Device: TensorStorage {
    let byteCount: Int
    let broken: Bool
    init(byteCount: Int, broken: Bool) {
      self.byteCount = byteCount
      self.broken = broken
    }
    func copy(from offset: Int, to destination: UnsafeMutableRawBufferPointer) throws {
      if broken, offset > 0 { throw TensorError.unavailable("device lost") }
      for i in destination.indices { destination[i] = UInt8(truncatingIfNeeded: (offset + i) &* 31 >> 3) }
    }
  }

  @Test func deviceTensorsAreStreamed() throws {
    let count = 9 << 20 | 5
    let tensor = try Tensor(storage: Device(byteCount: count, broken: false), shape: [count], dtype: .i8)
    try SafetensorsWriter.write(["d": tensor], to: url)
    #expect(try SafetensorsFile(url).tensor("d").bytes() == tensor.bytes())
  }

  @Test func aDeviceThatFailsLeavesNothing() throws {
    let tensor = try Tensor(storage: Device(byteCount: 9 << 20, broken: true), shape: [9 << 20], dtype: .i8)
    #expect(throws: TensorError.unavailable("device lost")) { try SafetensorsWriter.write(["d": tensor], to: url) }
    #expect(try left.isEmpty)
  }

  @Test func anUnfinishedFileLeavesNothing() throws {
    do {
      let writer = try SafetensorsWriter(url, layout: [.init("a", shape: [2], dtype: .f32)])
      #expect(try left.count == 1)
      #expect(fault { try writer.finish() }.contains("tensor 'a': 0 of 8 bytes written"))
    }
    #expect(try left.isEmpty)
  }

  @Test func refusesWhatWasNotAnnounced() throws {
    let writer = try SafetensorsWriter(url, layout: [.init("a", shape: [2], dtype: .f32)])
    #expect(fault { try writer.write(Tensor([1, 2] as [Float], shape: [2]), to: "b") }.contains("no tensor 'b'"))
    #expect(fault { try writer.write(Tensor([1] as [Float], shape: [1]), to: "a") }.contains("differs from what was"))
    let five = [UInt8](repeating: 0, count: 5)
    for offset in [-1, 4, 9, Int.max] {
      #expect(fault { try five.withUnsafeBytes { try writer.write($0, to: "a", at: offset) } }.contains("reach past"))
    }
  }

  @Test func refusesImpossibleLayouts() throws {
    func text(_ layout: SafetensorsWriter.Entry...) -> String { fault { try SafetensorsWriter(url, layout: layout) } }
    let many = (0..<17).map { SafetensorsWriter.Entry("\($0)", shape: [1 << 57], dtype: .f32) }
    #expect(text(.init("q", shape: [32], dtype: .q8_0)).contains("tensor 'q': q8_0 is not supported"))
    #expect(text(.init("a", shape: [1], dtype: .f32), .init("a", shape: [1], dtype: .f32)).contains("given twice"))
    #expect(text(.init("__metadata__", shape: [1], dtype: .f32)).contains("the format's own"))
    #expect(text(.init("a", shape: [-1], dtype: .f32)).contains("impossible shape [-1]"))
    #expect(text(.init("a", shape: [1 << 62], dtype: .f32)).contains("impossible shape"))
    #expect(fault { try SafetensorsWriter(url, layout: many) }.contains("the file would be too large"))
    #expect(try left.isEmpty)
  }

  @Test func refusesRowScales() throws {
    let scale = try HostStorage(byteCount: 8)
    let tensor = try Tensor(storage: HostStorage(byteCount: 6), shape: [2, 3], dtype: .i8, rowScale: scale)
    #expect(fault { try SafetensorsWriter.write(["c": tensor], to: url) }.contains("i8 [2, 3] with row scales"))
    #expect(try left.isEmpty)
  }

  @Test func aFullDiskIsFoundBeforeWriting() throws {
    let text = fault { try SafetensorsWriter(url, layout: [.init("a", shape: [1 << 57], dtype: .f32)]) }
    #expect(text.contains("the disk has") && text.contains(url.path), "\(text)")
    #expect(try left.isEmpty)
  }
}
