extension ActivationSketch {
  /// The counts with `bars` buckets to an octave; bucket numbers count these.
  /// - Parameter bars: 1, 2, 4, 8, 16 or 32.
  func merged(bars: Int) -> ActivationSketch {
    let width = Self.perOctave / bars
    guard width > 1, let extent else { return self }
    let groups = extent.lowerBound / width..<(extent.upperBound - 1) / width + 1
    let counts = groups.map { UInt32(clamping: count(in: $0 * width..<($0 + 1) * width)) }
    return ActivationSketch(first: groups.lowerBound, counts: counts)
  }

  /// Takes `merged(bars:)` apart: each count is spread evenly over the buckets that it was, those behind `largest` left
  /// out.
  func spread(bars: Int, largest: Int) -> ActivationSketch {
    let width = Self.perOctave / bars
    guard width > 1, let extent else { return self }
    var spread = [UInt32](repeating: 0, count: extent.count * width)
    for group in extent {
      let start = group * width
      let places = max(1, min(width, largest + 1 - start))
      let count = UInt64(counts[group - first])
      for place in 0..<places {
        let share = count * UInt64(place + 1) / UInt64(places) - count * UInt64(place) / UInt64(places)
        spread[start - extent.lowerBound * width + place] = UInt32(share)
      }
    }
    return ActivationSketch(first: extent.lowerBound * width, counts: spread)
  }

  /// Of a merged sketch: the largest activation that it may have counted, as `PackedNumber.fine`; top examples are told
  /// going down from it.
  func reference(bars: Int) -> Int {
    min(((extent?.upperBound ?? 1) * (Self.perOctave / bars)) << 3, PackedNumber.fineCodes.upperBound) - 1
  }
}
