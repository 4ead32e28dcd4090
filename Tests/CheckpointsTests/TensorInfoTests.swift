import Checkpoints
import Testing

struct TensorInfoTests {
  @Test(
    arguments: [
      ([], 1), ([5], 5), ([2, 3, 7], 42), ([0], 0), ([4, 0, 3], 0), ([-1], nil), ([Int.max], Int.max),
      ([Int.max, 2], nil),
      ([1 << 32, 1 << 31], nil), ([0, 1 << 62, 4], nil), ([1 << 62, 4, 0], nil), ([Int.min, 0], nil),
    ] as [([Int], Int?)])
  func countsElementsWithoutOverflow(_ shape: [Int], _ count: Int?) {
    #expect(TensorInfo.elementCount(shape) == count)
  }

  @Test func countsBytesOfWholeBlocks() {
    #expect(TensorInfo.byteCount(elements: 64, blockSize: 32, bytesPerBlock: 34) == 68)
    #expect(TensorInfo.byteCount(elements: 33, blockSize: 32, bytesPerBlock: 34) == nil)
    #expect(TensorInfo.byteCount(elements: .max - 31, blockSize: 32, bytesPerBlock: 34) == nil)
    #expect(TensorInfo.byteCount(elements: -32, blockSize: 32, bytesPerBlock: 34) == nil)
  }
}
