import Checkpoints
import Foundation
import Gemma
import Sites
import Tensors
import TestSupport

/// The tiny random checkpoints that Tools/make_gemma_fixtures.py wrote, with transformers' activations.
enum TinyGemma {
  static func model(_ name: String = "causal", backend: (any Backend)? = nil) throws -> GemmaModel {
    try GemmaModel(contentsOf: Fixtures.url("gemma/\(name)"), backend: try backend ?? NativeBackend(threads: 2))
  }

  static func dumps(_ name: String = "causal", file: String = "dumps") throws -> SafetensorsFile {
    try SafetensorsFile(Fixtures.url("gemma/\(name)/\(file).safetensors"))
  }

  static func tokens(_ dumps: SafetensorsFile, _ prompt: Int) throws -> [Int32] {
    try dumps.tensor("p\(prompt).tokens").readIntegers().map { Int32($0) }
  }
}
