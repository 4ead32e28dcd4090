import Testing
import Training
@Suite struct SkeletonTests { @Test func t() { #expect(SingleRankReducer().gather(UnsafeBufferPointer<Float>(start: nil, count: 0)).isEmpty) } }
