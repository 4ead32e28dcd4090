import Atlas
import Checkpoints
import Foundation
import Tensors

/// Opens any bytes as Gemma Scope 2's `examples.safetensors` and reads all they claim to hold; what cannot be read may be
/// an error of the areas concerned, of bounded length, and nothing else.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  expectErrors {
    try Data(UnsafeBufferPointer(start: data, count: count)).write(to: file)
    let examples = try PublishedExamples(contentsOf: file)
    expectErrors { _ = try examples.frequencies() }
    for feature in 0..<min(examples.features, 50) {
      expectErrors {
        let entries = try examples.entries(of: feature)
        guard zip(entries, entries.dropFirst()).allSatisfy({ $0.activation >= $1.activation }),
          entries.allSatisfy({ $0.activation > 0 && $0.activation.isFinite && $0.effect.isFinite })
        else { fatalError("entries of \(feature) in no order") }
        for entry in entries.prefix(20) {
          guard try examples.tokens(of: entry.sequence).indices ~= entry.position else { fatalError("outside") }
        }
      }
      expectErrors { _ = try examples.logits(of: feature) }
    }
  }
  return 0
}

private let file = FileManager.default.temporaryDirectory.appending(path: "gemmascope-fuzz-\(getpid()).safetensors")

private func expectErrors(_ body: () throws -> Void) {
  do { try body() } catch {
    guard error is AtlasError || error is CheckpointError || error is TensorError, "\(error)".count < 2000 else {
      fatalError("\(error)")
    }
  }
}
