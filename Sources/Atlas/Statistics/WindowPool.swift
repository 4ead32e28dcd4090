/// A sample of windows of the corpus with every feature that is on in them, for tests that need windows in which a
/// feature is known to be silent. Each half of the sequences (`split`) has its own.
struct WindowPool: Equatable {
  struct Window: Equatable {
    let hash: UInt64
    let sequence: Int32
    let start: Int32
    let split: Int
    /// For each dictionary one bit a feature.
    var active: [[UInt64]]

    static func precedes(_ a: Window, _ b: Window) -> Bool {
      (a.hash, a.sequence, a.start) < (b.hash, b.sequence, b.start)
    }
  }

  /// Windows kept of each half.
  let capacity: Int
  /// Tokens of a window.
  let length: Int
  let seed: UInt64
  /// By hash, for each half.
  var halves: [[Window]] = [[], []]

  init(capacity: Int, length: Int, seed: UInt64) {
    self.capacity = capacity
    self.length = length
    self.seed = seed
  }

  /// Which half a sequence belongs to: examples of one half explain, those of the other test.
  static func split(seed: UInt64, sequence: Int) -> Int { Int(AtlasHash.of(seed, 2, sequence) & 1) }

  /// Takes from a batch the windows that belong to the sample: whole ones, one behind the other within each run of
  /// tokens that count. Their features are added by `add`.
  mutating func offer(_ batch: BatchRows, dictionaries: [Int]) {
    var row = 0
    while row < batch.count {
      let end = row + length
      guard end <= batch.count, isRun(batch, row..<end) else {
        row += 1
        continue
      }
      offer(sequence: batch.sequences[row], start: batch.positions[row], dictionaries)
      row = end
    }
  }

  private func isRun(_ batch: BatchRows, _ rows: Range<Int>) -> Bool {
    batch.sequences[rows.lowerBound] == batch.sequences[rows.upperBound - 1] && rows.allSatisfy { batch.isCounted[$0] }
  }

  private mutating func offer(sequence: Int32, start: Int32, _ dictionaries: [Int]) {
    let split = Self.split(seed: seed, sequence: Int(sequence))
    let hash = AtlasHash.of(seed, 3, Int(sequence), Int(start))
    if halves[split].count == capacity, let last = halves[split].last, hash > last.hash { return }
    let new = Window(
      hash: hash, sequence: sequence, start: start, split: split,
      active: dictionaries.map { [UInt64](repeating: 0, count: ($0 + 63) / 64) })
    let place = halves[split].firstIndex { Window.precedes(new, $0) } ?? halves[split].count
    halves[split].insert(new, at: place)
    if halves[split].count > capacity { halves[split].removeLast() }
  }

  /// The features of one dictionary that are on at each row of the batch from which `offer` took windows.
  mutating func add(_ batch: BatchRows, dictionary: Int, features: (Int) -> [Int32]) {
    guard let first = batch.sequences.first, let last = batch.sequences.last else { return }
    var starts: [Int32: Int] = [:]
    for (row, sequence) in batch.sequences.enumerated() where starts[sequence] == nil { starts[sequence] = row }
    for half in halves.indices {
      for index in halves[half].indices where first...last ~= halves[half][index].sequence {
        guard let start = starts[halves[half][index].sequence] else { continue }
        let row = start + Int(halves[half][index].start)
        for row in row..<row + length {
          for feature in features(row) {
            halves[half][index].active[dictionary][Int(feature) / 64] |= 1 << UInt64(feature % 64)
          }
        }
      }
    }
  }
}
