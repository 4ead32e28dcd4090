import Checkpoints
import Dictionaries
import Foundation
import Gemma
import Sites

/// Feeds one text to every reader of configurations: `config.json` of dictionaries and models, `suite.json`,
/// `model.safetensors.index.json`, and the names of sites. Each must either succeed or throw its own error, with a
/// message of bounded length.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzConfiguration(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  let bytes = UnsafeRawBufferPointer(start: start, count: count)
  expectErrors(of: DictionaryError.self) { _ = try DictionaryConfiguration(json: bytes, path: "config.json") }
  expectErrors(of: DictionaryError.self) {
    let suite = try Suite(json: bytes, folder: URL(filePath: "/suite"))
    for entry in suite.entries {
      check(!suite.url(of: entry).pathComponents.contains(".."), "a path leads out of the suite")
    }
  }
  expectErrors(of: GemmaError.self, JSONError.self) {
    _ = try GemmaConfiguration(huggingFace: Array(bytes), file: "config.json")
  }
  expectErrors(of: CheckpointError.self) {
    for shard in try SafetensorsCheckpoint.weightMap(json: bytes, file: "model.safetensors.index.json").values {
      check(!shard.isEmpty && !shard.utf8.contains(UInt8(ascii: "/")) && shard != "..", "a shard outside the folder")
    }
  }
  let text = String(decoding: bytes, as: UTF8.self)
  expectErrors(of: SiteError.self) { try check(Site(text).description == text, "a site has two names") }
  expectErrors(of: SiteError.self) {
    let point = try HookPoint(text)
    try check(HookPoint(point.description) == point, "a hook point does not read back")
    check(point.sites(layerCount: 7).count <= 1024, "a hook point names too many layers")
  }
  expectErrors(of: SiteError.self) { _ = try Site(transformerLensName: text) }
  return 0
}

private func expectErrors<First: Error, Second: Error>(
  of first: First.Type, _ second: Second.Type, _ body: () throws -> Void
) {
  do {
    try body()
  } catch {
    check(error is First || error is Second, "unexpected \(type(of: error))")
    check("\(error)".utf8.count < 4096, "a message of \("\(error)".utf8.count) bytes")
  }
}

private func expectErrors<Only: Error>(of only: Only.Type, _ body: () throws -> Void) {
  expectErrors(of: only, only, body)
}

private func check(_ condition: Bool, _ message: @autoclosure () -> String) {
  if !condition { fatalError(message()) }
}
