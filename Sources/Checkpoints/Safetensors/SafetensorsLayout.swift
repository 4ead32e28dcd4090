import Tensors

/// Where the tensors of a safetensors file lie, and its header: widest elements first, then by name.
struct SafetensorsLayout {
  /// Of each tensor, from the end of the header.
  let ranges: [String: Range<Int>]
  /// The length and the text.
  let header: [UInt8]
  /// Of the whole file.
  let byteCount: Int

  /// - Throws: `CheckpointError`: a name given twice, an element type the format lacks, an impossible shape.
  init(_ entries: [SafetensorsWriter.Entry], metadata: [String: String], file: String) throws {
    var order: [(entry: SafetensorsWriter.Entry, type: SafetensorsType)] = []
    for entry in entries {
      guard let type = SafetensorsType(entry.dtype) else {
        throw CheckpointError.unsupported(
          file: file, tensor: entry.name, found: "\(entry.dtype)", expected: "f64, f32, bf16, f16, i8, i32 or i64")
      }
      order.append((entry, type))
    }
    order.sort { ($1.type.rank, $0.entry.name) < ($0.type.rank, $1.entry.name) }

    var ranges: [String: Range<Int>] = [:]
    var end = 0
    for (entry, type) in order {
      func invalid(_ reason: String) -> CheckpointError {
        .invalidTensor(file: file, tensor: entry.name, reason: reason)
      }
      guard entry.name != "__metadata__" else { throw invalid("the name is the format's own") }
      guard let count = type.byteCount(entry.shape) else { throw invalid("impossible shape \(entry.shape)") }
      let (next, overflow) = end.addingReportingOverflow(count)
      guard !overflow else { throw invalid("the file would be too large") }
      guard ranges.updateValue(end..<next, forKey: entry.name) == nil else { throw invalid("given twice") }
      end = next
    }
    self.ranges = ranges
    header = try Self.header(order, ranges, metadata, file: file)
    let (total, overflow) = header.count.addingReportingOverflow(end)
    guard !overflow else { throw CheckpointError.unwritable(file: file, reason: "the file would be too large") }
    byteCount = total
  }

  private static func header(
    _ order: [(entry: SafetensorsWriter.Entry, type: SafetensorsType)], _ ranges: [String: Range<Int>], _ metadata: [String: String],
    file: String
  ) throws -> [UInt8] {
    var members: [String] = []
    if !metadata.isEmpty {
      let pairs = metadata.sorted { $0.key < $1.key }.map { "\(JSONText.quoted($0.key)):\(JSONText.quoted($0.value))" }
      members.append("\"__metadata__\":{\(pairs.joined(separator: ","))}")
    }
    for (entry, type) in order {
      guard let range = ranges[entry.name] else { continue }
      let shape = entry.shape.map(String.init).joined(separator: ",")
      members.append(
        "\(JSONText.quoted(entry.name)):{\"dtype\":\"\(type.rawValue)\",\"shape\":[\(shape)],"
          + "\"data_offsets\":[\(range.lowerBound),\(range.upperBound)]}")
    }
    var text = Array("{\(members.joined(separator: ","))}".utf8)
    text.append(contentsOf: repeatElement(UInt8(ascii: " "), count: (8 - text.count % 8) % 8))
    guard text.count <= SafetensorsHeader.maximumByteCount else {
      throw CheckpointError.unwritable(file: file, reason: "a header of \(text.count) bytes is too long")
    }
    return withUnsafeBytes(of: UInt64(text.count).littleEndian) { Array($0) } + text
  }
}
