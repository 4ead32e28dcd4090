public import Foundation
public import Tensors

/// The tensors of a model folder: `model.safetensors`, or the shards that `model.safetensors.index.json` lists.
public struct SafetensorsCheckpoint: TensorSource {
  public let names: [String]
  /// The files, in the order of their names.
  public let files: [SafetensorsFile]

  private let folder: String
  private let fileOfTensor: [String: Int]

  /// Opens the weights in `folder`.
  /// - Throws: `CheckpointError`: neither file there, a broken index, a shard that is missing, lacks a tensor the index
  ///   says it has, or holds one that another shard holds too.
  public init(_ folder: URL) throws {
    self.folder = folder.path
    let single = folder.appending(path: "model.safetensors")
    let index = folder.appending(path: "model.safetensors.index.json")
    if FileManager.default.fileExists(atPath: single.path) {
      let file = try SafetensorsFile(single)
      files = [file]
      names = file.names
      fileOfTensor = Dictionary(uniqueKeysWithValues: file.names.map { ($0, 0) })
    } else if FileManager.default.fileExists(atPath: index.path) {
      let map = try Self.readIndex(index)
      let shards = Set(map.values).sorted()
      files = try shards.map { try SafetensorsFile(folder.appending(path: $0)) }
      fileOfTensor = try Self.locate(map, in: files, shards: shards, index: index.path)
      names = map.keys.sorted()
    } else {
      throw CheckpointError.unreadable(
        file: folder.path, reason: "holds neither model.safetensors nor model.safetensors.index.json")
    }
  }

  public func contains(_ name: String) -> Bool { fileOfTensor[name] != nil }
  public func info(_ name: String) throws -> TensorInfo { try file(of: name).info(name) }
  public func tensor(_ name: String) throws -> Tensor { try file(of: name).tensor(name) }

  public func path(of name: String) throws -> String { try file(of: name).path }

  private func file(of name: String) throws -> SafetensorsFile {
    guard let index = fileOfTensor[name] else { throw CheckpointError.missingTensor(file: folder, tensor: name) }
    return files[index]
  }

  /// The index's `weight_map`: tensor name to shard name.
  private static func readIndex(_ url: URL) throws -> [String: String] {
    let storage = try HostStorage.mapped(url)
    return try withExtendedLifetime(storage) {
      try weightMap(json: UnsafeRawBufferPointer(storage.bytes), file: url.path)
    }
  }

  /// The `weight_map` of an index whose bytes are `json`; `file` names it in errors.
  /// - Throws: `CheckpointError.malformed`.
  package static func weightMap(json: UnsafeRawBufferPointer, file: String) throws -> [String: String] {
    func malformed(_ reason: String) -> CheckpointError { .malformed(file: file, reason: reason) }
    var map: [String: String]?
    do {
      var scanner = JSONScanner(json)
      try scanner.object { key, scanner in
        guard key == "weight_map" else { return try scanner.skipValue() }
        guard map == nil else { throw malformed("'weight_map' given twice") }
        var entries: [String: String] = [:]
        try scanner.object { name, scanner in
          let shard = try scanner.string()
          guard isPlainName(shard) else { throw malformed("shard '\(shard)' is not a file name in the same folder") }
          guard entries.updateValue(shard, forKey: name) == nil else { throw malformed("tensor '\(name)' given twice") }
        }
        map = entries
      }
      try scanner.end()
    } catch let error as JSONError {
      throw malformed("\(error)")
    }
    guard let map else { throw malformed("no 'weight_map'") }
    return map
  }

  /// An index must not lead out of its folder.
  private static func isPlainName(_ name: String) -> Bool {
    !name.isEmpty && name != "." && name != ".." && !name.utf8.contains { $0 == 0 || $0 == UInt8(ascii: "/") }
  }

  private static func locate(
    _ map: [String: String], in files: [SafetensorsFile], shards: [String], index: String
  ) throws -> [String: Int] {
    var located: [String: Int] = [:]
    for (number, file) in files.enumerated() {
      for name in file.names {
        if let other = located.updateValue(number, forKey: name) {
          throw CheckpointError.invalidTensor(
            file: index, tensor: name, reason: "is in both \(shards[other]) and \(shards[number])")
        }
      }
    }
    for (name, shard) in map {
      guard let number = located[name], shards[number] == shard else {
        throw CheckpointError.invalidTensor(
          file: index, tensor: name, reason: "is not in \(shard), where the index puts it")
      }
    }
    return located.filter { map[$0.key] != nil }
  }
}
