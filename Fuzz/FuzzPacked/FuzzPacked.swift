import Atlas
import Foundation

/// Reads any bytes as a packed atlas: after a first byte of 0 as what stands behind a head with the right hash, else as
/// unpacked columns, of each u16 place, u32 bytes, then those.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  var rest = Array(UnsafeBufferPointer(start: data, count: count))[...]
  guard let kind = rest.popFirst() else { return 0 }
  do {
    if kind == 0 {
      _ = try PackedAtlas(PackedContainer.seal(Array(rest)), url: url)
    } else {
      _ = try PackedAtlas(url: url) { columns(rest) }
    }
  } catch {
    guard error is AtlasError, "\(error)".count < 2000 else { fatalError("\(error)") }
  }
  return 0
}

private let url = URL(filePath: "fuzzed.gsatlas")

private func columns(_ bytes: ArraySlice<UInt8>) -> [[UInt8]] {
  var (columns, rest) = (PackedContainer.noColumns, bytes)
  while rest.count >= 6 {
    let head = rest.prefix(6).map(Int.init)
    rest = rest.dropFirst(6)
    let size = head[2] | head[3] << 8 | head[4] << 16 | head[5] << 24
    columns[(head[0] | head[1] << 8) % columns.count] = Array(rest.prefix(size))
    rest = rest.dropFirst(size)
  }
  return columns
}
