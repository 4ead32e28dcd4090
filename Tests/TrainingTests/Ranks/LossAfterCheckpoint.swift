import Collectives
import Foundation

/// The ranks of a job one of which is lost just after the manifest of a checkpoint was written.
final class LossAfterCheckpoint: Communicator {
  private let ranks: any Communicator
  private let manifest: URL
  private let before: Data?

  init(_ ranks: any Communicator, run folder: URL) {
    self.ranks = ranks
    manifest = folder.appending(path: "checkpoint/manifest.json")
    before = try? Data(contentsOf: manifest)
  }

  var rank: Int { ranks.rank }
  var count: Int { ranks.count }
  var name: String { ranks.name }

  func allToAll(
    _ send: UnsafeRawBufferPointer, sendCounts: [Int], into receive: UnsafeMutableRawBufferPointer, receiveCounts: [Int]
  ) throws {
    try ranks.allToAll(send, sendCounts: sendCounts, into: receive, receiveCounts: receiveCounts)
  }

  func allGather(_ send: UnsafeRawBufferPointer, into receive: UnsafeMutableRawBufferPointer, counts: [Int]) throws {
    // The root alone knows: it wrote the file, and the others lose it.
    if isRoot, try Data(contentsOf: manifest) != before {
      throw CollectivesError.lostRank(operation: "all-gather", rank: rank, lost: [count - 1], count: count)
    }
    try ranks.allGather(send, into: receive, counts: counts)
  }

  func broadcast(_ buffer: UnsafeMutableRawBufferPointer, from root: Int) throws {
    try ranks.broadcast(buffer, from: root)
  }

  func barrier() throws { try ranks.barrier() }
}
