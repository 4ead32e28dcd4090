import Foundation
import Testing

/// What lies in the folder `checkpoint` of a run.
struct CheckpointFiles {
  let url: URL

  init(run folder: URL) { url = folder.appending(path: "checkpoint") }

  func all() throws -> Set<String> { try Set(FileManager.default.contentsOfDirectory(atPath: url.path)) }

  /// Files that a manifest names; none where it is not there.
  func named(_ manifest: String) throws -> Set<String> {
    guard let entries = try entries(manifest) else { return [] }
    return try Set(
      entries.flatMap { entry in
        let slices = try #require(entry["slices"] as? [String: Any])
        return try #require(slices["files"] as? [[String: Any]]).compactMap { $0["name"] as? String }
      })
  }

  /// The step of the first dictionary in the last checkpoint, and in the earlier one.
  func steps() throws -> [Int?] {
    try ["manifest.json", "earlier.json"].map { try entries($0)?.first?["steps"] as? Int }
  }

  /// Whether there is nothing but what the manifests name, and all of that.
  func isTidy() throws -> Bool {
    let manifests = try all().intersection(["manifest.json", "earlier.json"])
    return try all() == manifests.union(manifests.flatMap { try named($0) })
  }

  private func entries(_ manifest: String) throws -> [[String: Any]]? {
    guard let data = try? Data(contentsOf: url.appending(path: manifest)) else { return nil }
    let json = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    return try #require(json["entries"] as? [[String: Any]])
  }
}
