import Dispatch
import Foundation

/// Work on many items at once, on all cores.
enum Concurrently {
  /// What `body` makes of each item, in their order.
  /// - Parameter body: called on several threads at a time, so what it reads must not change meanwhile.
  /// - Throws: what `body` threw for the first of the items for which it threw.
  static func map<Item, Result>(_ items: [Item], _ body: @escaping (Item) throws -> Result) throws -> [Result] {
    var results = [Swift.Result<Result, any Error>?](repeating: nil, count: items.count)
    results.withUnsafeMutableBufferPointer { results in
      // Every call has an item and a place of its own, and all end before this does.
      nonisolated(unsafe) let (items, places, body) = (items, results, body)
      DispatchQueue.concurrentPerform(iterations: items.count) { index in
        places[index] = Swift.Result { try body(items[index]) }
      }
    }
    return try results.compactMap { try $0?.get() }
  }
}
