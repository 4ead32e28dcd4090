public import Collectives
public import Sites
import Tensors

/// Shuffled activations from a store. With the same seed and window it gives what a `ModelActivationSource` with the
/// options of the harvest gives (of one job; as far as the stored type keeps it).
public final class StoreActivationSource: ActivationSource {
  public let sites: [Site]
  public let widths: [Int]
  private let store: ActivationStore
  private let window: WindowOptions
  private let communicator: any Communicator
  private var windowIndex = 0
  private var row = 0
  /// Rows read at one time.
  private static let piece = 4096

  /// - Parameters:
  ///   - sites: those to read; all when nil.
  ///   - communicator: of ranks that all read the store and ask for windows together; on several, what stops one stops
  ///     all with `CollectivesError.failed`.
  /// - Throws: `ActivationError.option` for a site that is not stored.
  public init(
    _ store: ActivationStore, sites: [Site]? = nil, window: WindowOptions = WindowOptions(),
    communicator: any Communicator = SingleRank()
  ) throws {
    try window.validate()
    self.communicator = communicator
    self.store = store
    self.sites = sites ?? store.sites
    widths = try self.sites.map { try store.column($0).width }
    self.window = window
  }

  public var state: StreamState { StreamState(windowIndex: windowIndex, row: row) }

  public func restore(_ state: StreamState) throws {
    guard state.windowIndex >= 0, 0...store.count ~= state.row else {
      throw ActivationError.state(reason: "row \(state.row) of the \(store.count) stored")
    }
    windowIndex = state.windowIndex
    row = state.row
  }

  public func nextWindow() throws -> ActivationWindow? {
    guard row < store.count else { return nil }
    var next = row
    let filled = try communicator.together {
      var builder = try WindowBuilder(windowIndex, widths: widths, options: window)
      while builder.room > 0, next < store.count {
        let end = min(store.count, next + min(builder.room, Self.piece))
        let rows = try store.rows(next..<end, sites: sites)
        for (site, tensor) in rows.tensors.enumerated() {
          try builder.place(tensor, site: site, rows: Array(0..<end - next)[...])
        }
        builder.advance(over: rows.tokens[...])
        next = end
      }
      return try builder.finish()
    }
    row = next
    windowIndex += 1
    return filled
  }
}
