import Activations
import Checkpoints
import Foundation
import Tensors

/// Reads a file of labelled texts.
enum LabelledTextFile {
  /// The longest unpacked file that is read: a set for probes is a few megabytes.
  private static let limit = 1 << 30

  static func read(_ url: URL) throws -> [LabelledText] {
    var storage = try HostStorage.mapped(url)
    if storage.bytes.starts(with: GzipReader.magic) {
      storage = try GzipReader.unpack(storage, path: url.path, limit: limit)
    }
    return try withExtendedLifetime(storage) { try parse(UnsafeRawBufferPointer(storage.bytes), path: url.path) }
  }

  private struct Record {
    var id, text, split: String?
    var labels: [String: String]?
  }

  private static func parse(_ bytes: UnsafeRawBufferPointer, path: String) throws -> [LabelledText] {
    var records: [(line: Int, record: Record)] = []
    for (index, line) in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated()
    where line.contains(where: { $0 > 0x20 }) {
      do {
        records.append((index + 1, try record(UnsafeRawBufferPointer(rebasing: line))))
      } catch let error as JSONError {
        throw EvaluationError.text(path: path, line: index + 1, reason: "\(error)")
      }
    }
    guard let first = records.first else { throw EvaluationError.texts(path: path, reason: "holds no text") }
    let hasSplit = first.record.split != nil
    var (lines, splits): ([String: Int], [String: (line: Int, isTest: Bool)]) = ([:], [:])
    return try records.map { line, record in
      func failure(_ reason: String) -> EvaluationError { .text(path: path, line: line, reason: reason) }
      guard let id = record.id else { throw failure("'id' is missing") }
      guard let text = record.text else { throw failure("'text' is missing") }
      guard let labels = record.labels else { throw failure("'labels' is missing") }
      guard !text.isEmpty else { throw failure("'text' is empty") }
      guard (record.split != nil) == hasSplit else {
        throw failure("'split' is \(hasSplit ? "missing" : "given"), unlike in line \(records[0].line)")
      }
      if let other = lines.updateValue(line, forKey: id) { throw failure("'id' is '\(id)', as in line \(other)") }
      let isTest = try record.split.map { split in
        guard ["train", "test"].contains(split) else {
          throw failure("'split' is '\(split)', expected 'train' or 'test'")
        }
        return split == "test"
      }
      let kept = isTest ?? (StableHash.of(text.utf8) % 5 == 0)
      if let other = splits.updateValue((line, kept), forKey: text), other.isTest != kept {
        throw failure("'text' stands in line \(other.line) too, in the other split")
      }
      return LabelledText(id: id, text: text, labels: labels, isTest: kept)
    }
  }

  private static func record(_ line: UnsafeRawBufferPointer) throws -> Record {
    var record = Record()
    var scanner = JSONScanner(line)
    guard try scanner.peek() == .object else { throw scanner.error("expected an object") }
    func string(_ key: String, _ scanner: inout JSONScanner) throws -> String {
      guard try scanner.peek() == .string else { throw scanner.error("'\(key)' is not a string") }
      return try scanner.string()
    }
    func once(_ key: String, _ isGiven: Bool, _ scanner: JSONScanner) throws {
      guard !isGiven else { throw scanner.error("'\(key)' is given twice") }
    }
    try scanner.object { key, scanner in
      switch key {
      case "id":
        try once(key, record.id != nil, scanner)
        record.id = try string(key, &scanner)
      case "text":
        try once(key, record.text != nil, scanner)
        record.text = try string(key, &scanner)
      case "split":
        try once(key, record.split != nil, scanner)
        record.split = try string(key, &scanner)
      case "labels":
        try once(key, record.labels != nil, scanner)
        guard try scanner.peek() == .object else { throw scanner.error("'labels' is not an object") }
        var labels: [String: String] = [:]
        try scanner.object { label, scanner in
          try once("labels.\(label)", labels[label] != nil, scanner)
          labels[label] = try string("labels.\(label)", &scanner)
        }
        record.labels = labels
      default: try scanner.skipValue()
      }
    }
    try scanner.end()
    return record
  }
}
