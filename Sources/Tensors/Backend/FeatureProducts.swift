/// Gradient sums of one source's features that dense products made, in place of its pairs. Row i of every array is feature i.
package final class FeatureProducts {
  /// Σ da · x, [width, inputs], and Σ z · G, [width, outputs].
  package let encoder, decoder: HostArray<Float>
  /// Σ da, and Σ θ·da + slope over the window of the straight-through kernel.
  package let bias, window: HostArray<Float>
  /// Pairs; active ones; those in the window.
  package let pairs, active, inside: HostArray<Int32>

  init(width: Int, inputs: Int, outputs: Int) throws {
    encoder = try HostArray(width * inputs)
    decoder = try HostArray(width * outputs)
    bias = try HostArray(width)
    window = try HostArray(width)
    pairs = try HostArray(width)
    active = try HostArray(width)
    inside = try HostArray(width)
  }
}
