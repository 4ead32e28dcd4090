import Checkpoints
import Foundation
import Sites
import Tensors

/// One file of rows: for each site its elements, `[rows, width]` under the site's name, with int8 also `NAME.scale`
/// `[rows]`; for each row its `tokens`, `sequences` and `positions`. The metadata hold the settings' digest, the first
/// row, where the next shard begins, and a CRC-32 of each tensor and of all of this.
struct StoreShard {
  let url: URL
  let file: SafetensorsFile
  let rows: Int
  let firstRow: Int
  /// Where the stream goes on behind it.
  let next: StreamState
  let checksum: String

  static let version = "1"

  /// Opens a shard and checks what it says of itself; `verify` checks the elements.
  /// - Throws: `ActivationError.store` naming the file.
  init(_ url: URL, settings: StoreSettings) throws {
    self.url = url
    func failure(_ reason: String) -> ActivationError { .store(path: url.path, reason: reason) }
    do {
      file = try SafetensorsFile(url)
    } catch let error as CheckpointError {
      let text = error.description
      throw failure("damaged: " + (text.hasPrefix(url.path + ": ") ? String(text.dropFirst(url.path.count + 2)) : text))
    }
    let metadata = file.metadata
    guard metadata["gemmascope"] == "activations", metadata["schema"] == Self.version else {
      throw failure("is no shard of stored activations, schema \(Self.version)")
    }
    guard try metadata["settings"] == settings.digest else { throw failure("was made with other settings") }
    guard let rows = metadata["rows"].flatMap(Int.init), let firstRow = metadata["first_row"].flatMap(Int.init),
      rows > 0, firstRow >= 0,
      let next = metadata["next"].flatMap({ try? JSONDecoder().decode(StreamState.self, from: Data($0.utf8)) }),
      let checksum = metadata["crc32"], checksum == Self.checksum(metadata)
    else { throw failure("damaged: what it says of itself is incomplete or changed") }
    self.rows = rows
    self.firstRow = firstRow
    self.next = next
    self.checksum = checksum
    for (name, shape, dtype) in Self.layout(settings, rows: rows) {
      guard let info = try? file.info(name), info.shape == shape, info.dtype == dtype else {
        throw failure("damaged: expected a tensor '\(name)' \(dtype) \(shape)")
      }
    }
  }

  static func layout(_ settings: StoreSettings, rows: Int) -> [(name: String, shape: [Int], dtype: DType)] {
    var layout: [(name: String, shape: [Int], dtype: DType)] = []
    for column in settings.sites {
      layout.append(("\(column.site)", [rows, column.width], settings.type.dtype))
      if settings.type == .int8 { layout.append(("\(column.site).scale", [rows], .f32)) }
    }
    return layout + ["tokens", "sequences", "positions"].map { ($0, [rows], .i32) }
  }

  /// The CRC-32 of all metadata but itself.
  static func checksum(_ metadata: [String: String]) -> String {
    let text = metadata.filter { $0.key != "crc32" }.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)\n" }
      .joined()
    return hex(Array(text.utf8).withUnsafeBytes(CRC32.of))
  }

  static func hex(_ value: UInt32) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 8 - digits.count) + digits
  }

  /// Reads every element and compares checksums.
  /// - Throws: `ActivationError.store` naming the file and tensor.
  func verify() throws {
    for name in file.names {
      let tensor = try file.tensor(name)
      guard let bytes = tensor.hostBytes else { continue }
      let found = withExtendedLifetime(tensor) { Self.hex(CRC32.of(bytes)) }
      guard file.metadata["crc32.\(name)"] == found else {
        throw ActivationError.store(path: url.path, reason: "damaged: the checksum of '\(name)' differs")
      }
    }
  }
}
