import Foundation

/// What one feature does to the logits of all tokens: the most raised and most lowered, and how all are spread.
struct LogitTable: Equatable {
  struct Entry: Equatable {
    let token: Int32
    let value: Float
  }

  /// Largest first, equal ones by id.
  let top: [Entry]
  /// Smallest first, equal ones by id.
  let bottom: [Entry]
  /// The range of all values, and how many lie in each of 50 parts of it of equal width.
  let low, high: Float
  let counts: [UInt32]

  static let entries = 10
  static let bars = 50

  /// - Parameter values: of every token.
  init(_ values: UnsafeBufferPointer<Float>) {
    var (top, bottom): ([Entry], [Entry]) = ([], [])
    var (least, most) = (Float.infinity, -Float.infinity)
    // What a value must be beyond to be among the entries.
    var (floor, ceiling) = (-Float.infinity, Float.infinity)
    for (token, value) in values.enumerated() {
      least = min(least, value)
      most = max(most, value)
      if value > floor || top.count < Self.entries {
        Self.insert(Entry(token: Int32(token), value: value), into: &top) { $0 > $1 }
        if top.count == Self.entries, let last = top.last { floor = last.value }
      }
      if value < ceiling || bottom.count < Self.entries {
        Self.insert(Entry(token: Int32(token), value: value), into: &bottom) { $0 < $1 }
        if bottom.count == Self.entries, let last = bottom.last { ceiling = last.value }
      }
    }
    (self.top, self.bottom) = (top, bottom)
    (low, high) = values.isEmpty ? (0, 0) : (least, most)
    var counts = [UInt32](repeating: 0, count: Self.bars)
    let scale = high > low ? Float(Self.bars) / (high - low) : 0
    for value in values {
      let place = (value - low) * scale
      // What is no number goes into the first.
      counts[place >= 1 ? Int(min(place, Float(Self.bars - 1))) : 0] += 1
    }
    self.counts = counts
  }

  private static func insert(_ entry: Entry, into list: inout [Entry], _ isBefore: (Float, Float) -> Bool) {
    let place = list.firstIndex { isBefore(entry.value, $0.value) } ?? list.count
    guard place < entries else { return }
    list.insert(entry, at: place)
    if list.count > entries { list.removeLast() }
  }

  /// f32 low, f32 high, then u32 for each part.
  var histogram: Data { Blob.of([low, high]) + Blob.of(counts) }
}
