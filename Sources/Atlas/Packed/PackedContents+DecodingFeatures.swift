extension PackedContents {
  private typealias Fault = ColumnReader.Fault

  /// Reads one feature of `dictionary`.
  func feature(
    _ reader: inout ColumnReader, _ dictionary: Dictionary, tokens: Int, context: Int
  ) throws -> Feature {
    var feature = Feature()
    feature.sequences = try reader.get(.sequences, in: 0..<Int(Int32.max))
    guard feature.sequences > 0 else { return feature }
    feature.mean = try reader.get(.mean, width: 2, in: PackedNumber.fineCodes)
    let length = try reader.get(.sketchLength, in: 1..<1 << 16)
    guard let sketch = ActivationSketch(encoded: try reader.get(bytes: length, .sketch)), 1...tokens ~= sketch.count
    else { throw Fault(reason: "has a sketch that is none") }
    guard (sketch.extent?.upperBound ?? 0) * (ActivationSketch.perOctave / bars) <= PackedNumber.coarseCodes.upperBound
    else { throw Fault(reason: "has a sketch of numbers that are none") }
    try readQuantiles(&reader, sketch, &feature)
    for _ in 0..<(try reader.get(.raisedCount, in: 0..<256)) { feature.raised.append(try logit(&reader, .raised)) }
    for _ in 0..<(try reader.get(.loweredCount, in: 0..<256)) { feature.lowered.append(try logit(&reader, .lowered)) }
    try readExamples(&reader, dictionary, bin: -1, from: sketch.reference(bars: bars), &feature)
    let largest = feature.examples.first.map { PackedNumber.coarse(PackedNumber.fine($0.activation)) } ?? 0
    try readIntervals(&reader, sketch, largest: largest, &feature)
    for (bin, interval) in feature.intervals.enumerated() {
      try readExamples(&reader, dictionary, bin: bin, from: interval.buckets.lowerBound << 3, &feature)
    }
    feature.sketch = sketch.spread(bars: bars, largest: largest)
    for _ in 0..<(try reader.get(.coactiveCount, in: 0..<256)) {
      let other = try reader.get(.coactive, width: 3, in: 0..<dictionary.features)
      let together = try reader.get(.coactiveTokens, in: 1..<sketch.count + 1)
      var value: Float?
      if dictionary.isSampled {
        value = Float(bitPattern: UInt32(truncatingIfNeeded: try reader.bits(.coactiveValue, width: 4)))
        guard let value, value >= 0, value <= 1 else { throw Fault(reason: "has a share outside 0 to 1") }
      }
      feature.coactive.append(Partner(feature: other, tokens: together, value: value))
    }
    return feature
  }

  private func example(
    _ reader: inout ColumnReader, _ dictionary: Dictionary, bin: Int, activation: Int
  ) throws -> Example {
    let sequence = try reader.get(.exampleSequence, width: 3, in: 0..<sequences.count)
    let tokens = sequences[sequence].tokens
    let position = try reader.get(.examplePosition, in: 0..<tokens.count)
    let usual = Self.window(
      of: position, in: tokens, begin: tokens.first ?? 0, before: number("window_before") ?? 0,
      after: number("window_after") ?? 0)
    let start = usual.0 - (try reader.getSigned(.windowStart, in: -(1 << 20)..<1 << 20))
    let length = usual.1 - (try reader.getSigned(.windowLength, in: -(1 << 20)..<1 << 20))
    guard start >= 0, 1...256 ~= length, start + length <= tokens.count, start..<start + length ~= position else {
      throw Fault(reason: "has a window of \(length) tokens at \(start) of \(tokens.count)")
    }
    var example = Example(
      bin: bin, sequence: sequence, position: position, activation: activation, start: start, length: length)
    let own = Active(offset: position - start, strength: PackedNumber.rough(PackedNumber.fine(activation)))
    var others: [Active] = []
    var (next, strength) = (0, own.strength)
    for _ in 0..<(try reader.get(.activeCount, in: 0..<length)) {
      let offset = next + (try reader.get(.activeOffset, in: 0..<length))
      strength += try reader.getSigned(.activeStrength, in: -(1 << 16)..<1 << 16)
      guard offset < length, offset != own.offset, PackedNumber.roughCodes ~= strength else {
        throw Fault(reason: "has an activation outside its window, or none")
      }
      others.append(Active(offset: offset, strength: strength))
      next = offset + 1
    }
    var active = [own] + others
    if dictionary.isAttention {
      for i in active.indices {
        active[i].scale = try reader.get(.attentionScale, width: 2, in: PackedNumber.coarseCodes)
      }
      example.sources = try sources(&reader, length: length, tokens: tokens.count)
    }
    example.active = active.sorted { $0.offset < $1.offset }
    return example
  }

  private func sources(_ reader: inout ColumnReader, length: Int, tokens: Int) throws -> Sources? {
    let scale = try reader.get(.sourceScale, in: 0..<PackedNumber.fineCodes.upperBound + 1) - 1
    guard scale >= 0 else { return nil }
    func values(_ count: Int) throws -> [Int8] {
      try reader.get(bytes: count, .sourceValue).map { Int8(bitPattern: $0) }
    }
    let inside = try values(length + 2)
    let outside = try (0..<(try reader.get(.outsideCount, in: 0..<4))).map { _ in
      Outside(position: try reader.get(.outsidePosition, in: 0..<tokens), value: try values(1)[0])
    }
    return Sources(scale: scale, values: inside, outside: outside)
  }

  private func logit(_ reader: inout ColumnReader, _ column: PackedColumn) throws -> Int32 {
    Int32(try reader.get(column, width: 3, in: 0..<1 << 24))
  }

  private func readExamples(
    _ reader: inout ColumnReader, _ dictionary: Dictionary, bin: Int, from start: Int, _ feature: inout Feature
  ) throws {
    var reference = start
    for _ in 0..<(try reader.get(.exampleCount, in: (bin < 0 ? 1 : 0)..<1001)) {
      let range = 0..<(bin < 0 ? reference + 1 : feature.intervals[bin].buckets.count << 3)
      let distance = try reader.get(.exampleActivation, in: range)
      let activation = bin < 0 ? reference - distance : reference + distance
      guard PackedNumber.fineCodes ~= activation else { throw Fault(reason: "has an activation that is none") }
      if bin < 0 { reference = activation }
      feature.examples.append(try example(&reader, dictionary, bin: bin, activation: activation))
    }
  }

  /// Quantiles are those of the sketch, where it is whole.
  private func readQuantiles(
    _ reader: inout ColumnReader, _ sketch: ActivationSketch, _ feature: inout Feature
  ) throws {
    guard bars < ActivationSketch.perOctave else {
      feature.quantiles = FeatureWriter.quantiles.compactMap { sketch.bucket(atQuantile: $0) }
      return
    }
    var last = (sketch.extent?.lowerBound ?? 0) * (ActivationSketch.perOctave / bars)
    for _ in FeatureWriter.quantiles {
      last += try reader.get(.quantiles, in: 0..<PackedNumber.coarseCodes.upperBound)
      guard PackedNumber.coarseCodes ~= last else { throw Fault(reason: "has a quantile that is none") }
      feature.quantiles.append(last)
    }
  }

  /// So are intervals; else they end behind quantiles, and the last behind the largest activation.
  private func readIntervals(
    _ reader: inout ColumnReader, _ sketch: ActivationSketch, largest: Int, _ feature: inout Feature
  ) throws {
    guard bars < ActivationSketch.perOctave else {
      feature.intervals = sketch.intervals
      return
    }
    let first = (sketch.extent?.lowerBound ?? 0) * (ActivationSketch.perOctave / bars)
    var start = first + (try reader.get(.intervalStart, in: 0..<ActivationSketch.perOctave))
    var left = sketch.count
    for end in Self.ends(feature.quantiles, largest: largest) where end > start {
      let isLast = end == largest + 1
      let count = isLast ? left : try reader.get(.intervalFirings, in: 1..<left + 1)
      guard count > 0 else { throw Fault(reason: "has an empty interval") }
      feature.intervals.append(ActivationSketch.Interval(buckets: start..<end, count: count))
      (start, left) = (end, left - count)
    }
    guard left == 0, !feature.intervals.isEmpty else {
      throw Fault(reason: "has intervals that do not hold every firing once")
    }
  }
}
