import Checkpoints

extension PackedContents {
  /// The contents as columns.
  /// - Throws: `AtlasError.option` for numbers that no atlas has.
  func columns() throws -> [[UInt8]] {
    var writer = ColumnWriter()
    var strings = StringTable()
    let vocabulary = tokensByFrequency
    var places: [Int32: Int] = [:]
    for (place, token) in vocabulary.enumerated() { places[token] = place }
    for token in vocabulary { writer.put(UInt64(UInt32(bitPattern: token)), width: 3, .vocabulary) }
    var last = -1
    for sequence in sequences {
      guard last..<Int(Int32.max) ~= sequence.number, sequence.number > last else {
        throw AtlasError.option(name: "atlas", reason: "holds a sequence of number \(sequence.number), which cannot be")
      }
      writer.put(sequence.number - last - 1, .sequenceNumber)
      last = sequence.number
      writer.put(sequence.tokens.count, .sequenceLength)
      for token in sequence.tokens { writer.put(places[token] ?? 0, width: 3, .token) }
      for scale in sequence.scales { writer.put(scale, width: 2, .scale) }
    }
    var first = 0
    for dictionary in dictionaries {
      for feature in features[first..<first + dictionary.features] { put(feature, dictionary, &writer) }
      first += dictionary.features
    }
    putPool(&writer)
    putLabels(&writer, &strings)
    writer.put(bytes: about(strings.list).utf8, .about)
    if let fault = writer.fault {
      throw AtlasError.option(name: "atlas", reason: "holds \(fault.number) for '\(fault.column)', which cannot be")
    }
    return writer.bytes
  }

  private var tokensByFrequency: [Int32] {
    var counts: [Int32: Int] = [:]
    for sequence in sequences { for token in sequence.tokens { counts[token, default: 0] += 1 } }
    return counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map(\.key)
  }

  private func put(_ feature: Feature, _ dictionary: Dictionary, _ writer: inout ColumnWriter) {
    writer.put(feature.sequences, .sequences)
    guard feature.sequences > 0 else { return }
    writer.put(feature.mean, width: 2, .mean)
    let merged = feature.sketch.merged(bars: bars)
    let sketch = merged.encoded
    writer.put(sketch.count, .sketchLength)
    writer.put(bytes: sketch, .sketch)
    if bars < ActivationSketch.perOctave { put(feature.quantiles, feature.intervals, merged, &writer) }
    writer.put(feature.raised.count, .raisedCount)
    for token in feature.raised { writer.put(UInt64(UInt32(bitPattern: token)), width: 3, .raised) }
    writer.put(feature.lowered.count, .loweredCount)
    for token in feature.lowered { writer.put(UInt64(UInt32(bitPattern: token)), width: 3, .lowered) }
    for bin in -1..<feature.intervals.count {
      let group = feature.examples.filter { $0.bin == bin }
      writer.put(group.count, .exampleCount)
      var reference = bin < 0 ? merged.reference(bars: bars) : feature.intervals[bin].buckets.lowerBound << 3
      for example in group {
        writer.put(bin < 0 ? reference - example.activation : example.activation - reference, .exampleActivation)
        if bin < 0 { reference = example.activation }
        put(example, dictionary, &writer)
      }
    }
    writer.put(feature.coactive.count, .coactiveCount)
    for partner in feature.coactive {
      writer.put(partner.feature, width: 3, .coactive)
      writer.put(partner.tokens, .coactiveTokens)
      if dictionary.isSampled {
        writer.put(UInt64((partner.value ?? 0).bitPattern), width: 4, .coactiveValue)
      }
    }
  }

  /// - Parameter merged: the sketch as it is packed.
  private func put(
    _ quantiles: [Int], _ intervals: [ActivationSketch.Interval], _ merged: ActivationSketch,
    _ writer: inout ColumnWriter
  ) {
    var last = (merged.extent?.lowerBound ?? 0) * (ActivationSketch.perOctave / bars)
    let first = last
    for bucket in quantiles {
      writer.put(bucket - last, .quantiles)
      last = bucket
    }
    // Intervals end behind quantiles; all but the last tell how much they hold.
    writer.put((intervals.first?.buckets.lowerBound ?? first) - first, .intervalStart)
    for interval in intervals.dropLast() { writer.put(interval.count, .intervalFirings) }
  }

  private func put(_ example: Example, _ dictionary: Dictionary, _ writer: inout ColumnWriter) {
    let tokens = sequences[example.sequence].tokens
    writer.put(example.sequence, width: 3, .exampleSequence)
    writer.put(example.position, .examplePosition)
    let usual = Self.window(
      of: example.position, in: tokens, begin: tokens.first ?? 0, before: number("window_before") ?? 0,
      after: number("window_after") ?? 0)
    writer.put(signed: usual.0 - example.start, .windowStart)
    writer.put(signed: usual.1 - example.length, .windowLength)
    // Its own token follows from the position; the others are told by their distance from one to the next.
    let own = example.active.filter { example.start + $0.offset == example.position }
    let others = example.active.filter { example.start + $0.offset != example.position }
    writer.put(others.count, .activeCount)
    var (next, strength) = (0, PackedNumber.rough(PackedNumber.fine(example.activation)))
    for active in others {
      writer.put(active.offset - next, .activeOffset)
      writer.put(signed: active.strength - strength, .activeStrength)
      (next, strength) = (active.offset + 1, active.strength)
    }
    guard dictionary.isAttention else { return }
    for active in own + others { writer.put(active.scale, width: 2, .attentionScale) }
    guard let sources = example.sources else { return writer.put(0, .sourceScale) }
    writer.put(sources.scale + 1, .sourceScale)
    writer.put(bytes: sources.values.map { UInt8(bitPattern: $0) }, .sourceValue)
    writer.put(sources.outside.count, .outsideCount)
    for source in sources.outside {
      writer.put(source.position, .outsidePosition)
      writer.put(bytes: [UInt8(bitPattern: source.value)], .sourceValue)
    }
  }

  private func putPool(_ writer: inout ColumnWriter) {
    writer.put(pool.count, .poolCount)
    for window in pool {
      writer.put(window.sequence, width: 3, .poolSequence)
      writer.put(window.start, .poolStart)
    }
    if !pool.isEmpty { for bits in poolBits { writer.put(bytes: bits, .poolBits) } }
  }

  private func putLabels(_ writer: inout ColumnWriter, _ strings: inout StringTable) {
    let accuracies = Set(labels.flatMap(\.scores).flatMap { [$0.balanced, $0.hard] }.compactMap { $0 }).sorted()
    var places: [Double: Int] = [:]
    for (place, number) in accuracies.enumerated() {
      places[number] = place + 1
      writer.put(number.bitPattern, width: 8, .accuracies)
    }
    writer.put(labels.count, .labelCount)
    for label in labels {
      writer.put(label.feature, width: 3, .labelFeature)
      for text in [label.author, label.method, label.created, label.prompt] {
        writer.put(strings.place(text), .labelKind)
      }
      let text = Array(label.text.utf8)
      writer.put(text.count, .labelLength)
      writer.put(bytes: text, .labelText)
      writer.put(label.raised, .labelRaised)
      writer.put(label.scores.count, .scoreCount)
      for score in label.scores {
        for text in [score.test, score.judge, score.created, score.reason] {
          writer.put(strings.place(text), .scoreKind)
        }
        for count in score.counts { writer.put(count, .scoreCounts) }
        for number in [score.balanced, score.hard] {
          writer.put(number.flatMap { places[$0] } ?? 0, .scoreAccuracy)
        }
      }
    }
  }

  private func about(_ strings: [String]) -> String {
    func list(_ items: [String]) -> String { "[" + items.joined(separator: ",") + "]" }
    func text(_ string: String?) -> String { string.map(JSONText.quoted) ?? "null" }
    let dictionaries = dictionaries.map { item in
      "{\"name\":\(text(item.name)),\"kind\":\(text(item.kind)),\"reads\":\(text(item.reads)),"
        + "\"writes\":\(text(item.writes)),\"width\":\(item.width),\"d_in\":\(item.inputWidth),"
        + "\"d_out\":\(item.outputWidth),\"weights_sha256\":\(text(item.sha256)),"
        + "\"l0\":\(item.l0.map { "\($0)" } ?? "null"),\"card\":\(text(item.card)),\"prefixes\":\(text(item.prefixes)),"
        + "\"features\":\(item.features),\"attention\":\(item.isAttention),\"sampled\":\(item.isSampled)}"
    }
    let meta = meta.map { list($0.map(JSONText.quoted)) }
    return "{\"bars\":\(bars),\"meta\":\(list(meta)),\"dictionaries\":\(list(dictionaries)),"
      + "\"strings\":\(list(strings.map(JSONText.quoted)))}"
  }

  /// Texts that come again and again, by number; 0 is for none.
  private struct StringTable {
    private(set) var list: [String] = []
    private var places: [String: Int] = [:]

    mutating func place(_ text: String?) -> Int {
      guard let text else { return 0 }
      if let place = places[text] { return place }
      list.append(text)
      places[text] = list.count
      return list.count
    }
  }
}
