import Checkpoints
import Foundation

/// Names and JSON of the files of a store.
///
/// - `harvest.json`: the settings, written first.
/// - `rows-00000.safetensors` and on: the rows, `rowsPerShard` in each but the last.
/// - `store.json`: the settings and the shards, written last; without it the store is incomplete.
/// - `shard-I-of-N/`: the same for one of several jobs.
enum StoreFiles {
  static let plan = "harvest.json"
  static let manifest = "store.json"

  static func shard(_ index: Int) -> String {
    let digits = String(index)
    return "rows-" + String(repeating: "0", count: max(0, 5 - digits.count)) + digits + ".safetensors"
  }

  static func job(_ shard: Int, of count: Int) -> String { "shard-\(shard)-of-\(count)" }

  /// What `store.json` holds.
  struct Manifest: Codable, Equatable {
    struct Shard: Codable, Equatable {
      var file: String
      var rows: Int
      /// The checksum of all the file says (`StoreShard`).
      var crc32: String
    }

    var schema = 1
    var rows: Int
    var settings: StoreSettings
    var shards: [Shard]
  }

  /// - Throws: `ActivationError.store` naming the file and key; nil when there is no such file.
  static func read<T: Decodable>(_ type: T.Type, from url: URL) throws -> T? {
    guard FileManager.default.fileExists(atPath: url.path) else { return nil }
    func failure(_ reason: String) -> ActivationError { .store(path: url.path, reason: reason) }
    guard let bytes = try? Data(contentsOf: url) else { throw failure("cannot be read") }
    func path(_ context: DecodingError.Context, _ key: (any CodingKey)? = nil) -> String {
      (context.codingPath + [key].compactMap { $0 }).map { $0.intValue.map(String.init) ?? $0.stringValue }
        .joined(separator: ".")
    }
    do {
      return try JSONDecoder().decode(type, from: bytes)
    } catch DecodingError.keyNotFound(let key, let context) {
      throw failure("'\(path(context, key))' is missing")
    } catch DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context) {
      throw failure("'\(path(context))' is not of the type expected")
    } catch DecodingError.dataCorrupted(let context) where !context.codingPath.isEmpty {
      throw failure("'\(path(context))' has no possible value")
    } catch {
      throw failure("is not JSON, or broken")
    }
  }
}
