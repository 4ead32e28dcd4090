import Checkpoints
import Foundation
import Tensors

/// A folder as `Atlas.writeNeuronpedia` leaves it.
struct ExportedFolder {
  /// All lines of a table, with the number of the file that each is in.
  struct Line {
    let file: Int
    let row: [String: JSONTree]
  }
  let url: URL

  /// The paths of all files below the folder.
  var files: [String] {
    let paths = (try? FileManager.default.subpathsOfDirectory(atPath: url.path)) ?? []
    return paths.filter { path in
      var isFolder: ObjCBool = false
      let exists = FileManager.default.fileExists(atPath: url.appending(path: path).path, isDirectory: &isFolder)
      return exists && !isFolder.boolValue
    }.sorted()
  }

  func bytes(_ path: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: url.appending(path: path))) }

  /// The objects of a file, unpacked where its name says that it is packed. Every line must end.
  func rows(_ path: String) throws -> [[String: JSONTree]] {
    var text = try bytes(path)
    if path.hasSuffix(".gz") {
      let storage = try GzipReader.unpack(.copying(text), path: path)
      text = Array(storage.bytes)
    }
    guard text.isEmpty || text.last == UInt8(ascii: "\n") else { throw AtlasFault("\(path) does not end in a newline") }
    return try text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).dropLast().map { line in
      guard case .object(let row) = try JSONTree(Array(line)) else {
        throw AtlasFault("a line of \(path) is no object")
      }
      return row
    }
  }

  func table(_ name: String, of source: String) throws -> [Line] {
    let numbers = files.compactMap { path -> Int? in
      guard path.hasPrefix("\(source)/\(name)/batch-"), path.hasSuffix(".jsonl.gz") else { return nil }
      return Int(path.dropFirst("\(source)/\(name)/batch-".count).dropLast(".jsonl.gz".count))
    }.sorted()
    return try numbers.flatMap { number in
      try rows("\(source)/\(name)/batch-\(number).jsonl.gz").map { Line(file: number, row: $0) }
    }
  }
}

struct AtlasFault: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

extension [String: JSONTree] {
  func text(_ key: String) -> String? { if case .string(let text)? = self[key] { text } else { nil } }
  func number(_ key: String) -> Double? { if case .number(let number)? = self[key] { number } else { nil } }
  func float(_ key: String) -> Float? { number(key).map { Float($0) } }
  func integer(_ key: String) -> Int? { self[key]?.integer }
  func isNull(_ key: String) -> Bool { self[key] == .null }

  func texts(_ key: String) -> [String] {
    guard case .array(let list)? = self[key] else { return [] }
    return list.compactMap { if case .string(let text) = $0 { text } else { nil } }
  }

  func numbers(_ key: String) -> [Double] {
    guard case .array(let list)? = self[key] else { return [] }
    return list.compactMap { if case .number(let number) = $0 { number } else { nil } }
  }

  func floats(_ key: String) -> [Float] { numbers(key).map { Float($0) } }
}
