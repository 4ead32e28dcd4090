import Checkpoints
import Foundation
import Tensors
import Testing

/// Bytes put together by hand, little-endian.
struct Bytes {
  var all: [UInt8] = []

  mutating func add(_ integer: some FixedWidthInteger & BitwiseCopyable) {
    withUnsafeBytes(of: integer.littleEndian) { all.append(contentsOf: $0) }
  }

  mutating func add(_ text: String) { all.append(contentsOf: text.utf8) }
  mutating func add(_ bytes: some Sequence<UInt8>) { all.append(contentsOf: bytes) }
}

extension [UInt8] {
  init(littleEndian values: [Float]) {
    self = values.flatMap { value in Swift.withUnsafeBytes(of: value.bitPattern.littleEndian) { Array($0) } }
  }

  init(base64 text: String) throws {
    self = Array(try #require(Data(base64Encoded: text, options: .ignoreUnknownCharacters)))
  }
}

/// The text of the `CheckpointError` that `body` throws; anything else is recorded as a failure.
func fault(sourceLocation: SourceLocation = #_sourceLocation, _ body: () throws -> some Any) -> String {
  do {
    let value = try body()
    Issue.record("expected a CheckpointError, got \(value)", sourceLocation: sourceLocation)
  } catch let error as CheckpointError {
    return error.description
  } catch {
    Issue.record("expected a CheckpointError, got \(type(of: error)): \(error)", sourceLocation: sourceLocation)
  }
  return ""
}

/// Opens and reads everything of a file that may be broken: it works, or ends in a `CheckpointError`.
func survives(sourceLocation: SourceLocation = #_sourceLocation, _ open: () throws -> any TensorSource) -> Bool {
  do {
    let source = try open()
    for name in source.names {
      let info = try source.info(name)
      guard info.dtype != nil else { continue }
      let tensor = try source.tensor(name)
      #expect(try tensor.bytes().count == info.byteCount, sourceLocation: sourceLocation)
    }
    return true
  } catch is CheckpointError {
    return false
  } catch {
    Issue.record("expected a CheckpointError, got \(type(of: error)): \(error)", sourceLocation: sourceLocation)
    return false
  }
}

/// `name` as a file of `bytes` that is in memory.
func safetensors(_ bytes: [UInt8]) throws -> SafetensorsFile {
  try SafetensorsFile(storage: .copying(bytes), path: "a.safetensors")
}

func gguf(_ bytes: [UInt8]) throws -> GGUFFile { try GGUFFile(storage: .copying(bytes), path: "a.gguf") }

func npz(_ bytes: [UInt8]) throws -> NPZFile { try NPZFile(storage: .copying(bytes), path: "a.npz") }

/// A safetensors file of a header as given and `data`.
func safetensorsBytes(_ header: String, data: [UInt8] = [], length: UInt64? = nil) -> [UInt8] {
  var bytes = Bytes()
  bytes.add(length ?? UInt64(header.utf8.count))
  bytes.add(header)
  bytes.add(data)
  return bytes.all
}
