import Synchronization

/// Things that several threads note.
final class Log<Item: Sendable>: Sendable {
  private let kept = Mutex<[Item]>([])

  var items: [Item] { kept.withLock { $0 } }

  @discardableResult
  func add(_ item: Item) -> Int {
    kept.withLock { items in
      items.append(item)
      return items.count
    }
  }
}
