import Dictionaries
import Foundation
import Gemma
import Sites

/// What a build will take, known before it begins.
public struct BuildPlan: Equatable, Sendable {
  /// Features of all dictionaries.
  public let features: Int
  /// Bytes that what is counted takes at most, however many tokens there are.
  public let bytes: Int
  /// Bytes of memory that this machine has.
  public let available: Int

  init(_ dictionaries: [SparseDictionary], model: GemmaModel, options: AtlasOptions) {
    features = dictionaries.reduce(0) { $0 + $1.shape.totalWidth }
    bytes = dictionaries.reduce(0) { sum, dictionary in
      let width = dictionary.shape.totalWidth
      // Sketches of about eight octaves, examples with about a dozen active tokens each.
      let isAttention = dictionary.shape.reads.contains { $0.kind == .attnOut }
      let example = 200 + (isAttention ? 4 * options.window : 0)
      let feature = 48 + 1024 + example * (options.examples + 24)
      let pairs = width <= CoactivationTriangle.mostFeatures ? 2 * width * width : Coactivation.sampleTokens * 600
      let pool = 2 * options.poolWindows * width / 8
      return sum + width * (feature + 4 * model.configuration.width) + pairs + pool
    }
    available = Int(clamping: ProcessInfo.processInfo.physicalMemory)
  }
}
