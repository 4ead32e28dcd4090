/// Positions of a sequence in buckets that double: 0, 1, 2–3, 4–7, …
public struct PositionBuckets: Equatable, Sendable {
  /// Buckets in use, from the first.
  public let count: Int

  /// Buckets for sequences of at most `length` tokens.
  public init(length: Int) {
    count = length > 0 ? Self.bucket(length - 1) + 1 : 0
  }

  /// The bucket of a position, from 0.
  public static func bucket(_ position: Int) -> Int {
    position <= 0 ? 0 : Int.bitWidth - position.leadingZeroBitCount
  }

  /// The positions of a bucket.
  public static func positions(of bucket: Int) -> Range<Int> {
    bucket == 0 ? 0..<1 : 1 << (bucket - 1)..<1 << bucket
  }
}
