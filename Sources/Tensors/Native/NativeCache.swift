/// Keys and values of one layer of one sequence in host memory, rows of all heads one after another.
///
/// A layer with a sliding window keeps only the rows that a later query can still see: when the buffer is full they are
/// moved to its front, so rows stay contiguous and a move is paid once per window of tokens.
final class NativeCache: KeyValueCache {
  /// What the cache was made for.
  let shape: AttentionShape
  private(set) var keys: HostStorage
  private(set) var values: HostStorage
  private let rowFloats: Int
  private let window: Int?
  private var capacity: Int
  /// Rows held now.
  private(set) var stored = 0
  /// Absolute position of the first row held.
  private(set) var firstPosition = 0

  var count: Int { firstPosition + stored }
  var byteCount: Int { keys.byteCount + values.byteCount }

  /// The sizes of `shape` must have been checked.
  init(shape: AttentionShape) throws {
    self.shape = shape
    rowFloats = shape.keyValueHeads * shape.headDimension
    window = shape.window
    capacity = 0
    keys = try HostStorage(byteCount: 0)
    values = try HostStorage(byteCount: 0)
  }

  /// Appends `rows` rows of keys and values.
  func append(keys newKeys: UnsafePointer<Float>, values newValues: UnsafePointer<Float>, rows: Int) throws {
    try makeRoom(for: rows)
    let bytes = rows * rowFloats * 4
    let offset = stored * rowFloats * 4
    copy(UnsafeRawPointer(newKeys), to: keys, offset: offset, bytes: bytes)
    copy(UnsafeRawPointer(newValues), to: values, offset: offset, bytes: bytes)
    stored += rows
  }

  func truncate(to newCount: Int) throws {
    guard newCount >= 0, newCount <= count else {
      throw TensorError.outOfRange(operation: "truncate cache", value: newCount, limit: count + 1)
    }
    // The next query stands at newCount and sees back to newCount - window + 1.
    let needed = window.map { max(0, newCount - $0 + 1) } ?? 0
    guard needed >= firstPosition else { throw TensorError.dropped(position: needed, first: firstPosition) }
    stored = max(0, newCount - firstPosition)
    if stored == 0 { firstPosition = newCount }
  }

  /// Makes room for `rows` more rows, which cannot fail to be appended afterwards. Throws with nothing changed.
  ///
  /// The buffer doubles as it fills, whatever the window: a configuration may claim any. It stops at two windows, where
  /// rows that no query can see any more make room for new ones.
  func makeRoom(for rows: Int) throws {
    guard stored + rows > capacity else { return }
    let limit = window.map { $0 > Int.max / 2 ? Int.max : $0 * 2 } ?? Int.max
    let keep = stored + rows <= limit ? stored : window.map { min(stored, $0 - 1) } ?? stored
    let room = max(capacity, keep + rows, min(max(capacity * 2, 64), limit))
    let source = (keys: keys, values: values)
    if room > capacity {
      // Both before either is put in place.
      let newKeys = try HostStorage(byteCount: room * rowFloats * 4)
      let newValues = try HostStorage(byteCount: room * rowFloats * 4)
      (keys, values, capacity) = (newKeys, newValues, room)
    }
    let offset = (stored - keep) * rowFloats * 4
    for (old, new) in [(source.keys, keys), (source.values, values)] {
      guard keep > 0, let from = old.bytes.baseAddress, let to = new.bytes.baseAddress else { continue }
      to.copyMemory(from: from + offset, byteCount: keep * rowFloats * 4)
    }
    firstPosition += stored - keep
    stored = keep
  }

  private func copy(_ source: UnsafeRawPointer, to storage: HostStorage, offset: Int, bytes: Int) {
    storage.bytes.baseAddress.map { ($0 + offset).copyMemory(from: source, byteCount: bytes) }
  }
}
