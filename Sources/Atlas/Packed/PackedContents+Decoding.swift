import Checkpoints
import Sites

extension PackedContents {
  private typealias Fault = ColumnReader.Fault

  /// Reads `columns`. Whatever stands there, nothing in the result points outside of what it has.
  /// - Throws: `ColumnReader.Fault`.
  init(_ columns: [[UInt8]]) throws {
    var reader = ColumnReader(columns)
    let strings = try readAbout(reader.all(.about))
    guard let tokens = number("tokens"), tokens > 0, let context = number("context"), 1...1 << 20 ~= context else {
      throw Fault(reason: "tells no tokens or context")
    }
    for key in ["window_before", "window_after"] {
      guard 0...127 ~= number(key) ?? -1 else { throw Fault(reason: "has no '\(key)' of 0 to 127") }
    }
    try readSequences(&reader, context: context)
    // A few bytes may stand for many empty buckets, or many features that never fire.
    var buckets = 0
    for dictionary in dictionaries {
      for _ in 0..<dictionary.features {
        let feature = try self.feature(&reader, dictionary, tokens: tokens, context: context)
        buckets += feature.sketch.extent?.count ?? 0
        guard buckets <= 1 << 27, features.count < 1 << 22 else { throw Fault(reason: "has too many features") }
        features.append(feature)
      }
    }
    try readPool(&reader, context: context)
    try readLabels(&reader, strings)
    try reader.end()
    vocabulary = []
  }

  private mutating func readAbout(_ bytes: [UInt8]) throws -> [String] {
    let tree: JSONTree
    do { tree = try JSONTree(bytes) } catch { throw Fault(reason: "its description is no JSON: \(error)") }
    guard case .object(let about) = tree, case .array(let meta)? = about["meta"],
      case .array(let dictionaries)? = about["dictionaries"], case .array(let strings)? = about["strings"]
    else { throw Fault(reason: "its description lacks meta, dictionaries or strings") }
    func text(_ tree: JSONTree?) throws -> String {
      guard case .string(let text)? = tree else {
        throw Fault(reason: "its description has no text where one should be")
      }
      return text
    }
    guard let bars = about["bars"]?.integer, [1, 2, 4, 8, 16, 32].contains(bars) else {
      throw Fault(reason: "tells no number of buckets to an octave")
    }
    self.bars = bars
    self.meta = try meta.map { pair in
      guard case .array(let pair) = pair, pair.count == 2 else { throw Fault(reason: "its meta are no pairs") }
      return try pair.map { try text($0) }
    }
    self.dictionaries = try dictionaries.map { item in
      guard case .object(let fields) = item else { throw Fault(reason: "its dictionaries are no objects") }
      func number(_ key: String, _ most: Int) throws -> Int {
        guard let number = fields[key]?.integer, 1...most ~= number else { throw Fault(reason: "has no '\(key)'") }
        return number
      }
      func flag(_ key: String) -> Bool { fields[key] == .bool(true) }
      func optional(_ key: String) throws -> String? {
        fields[key] == .null || fields[key] == nil ? nil : try text(fields[key])
      }
      var l0: Double?
      if case .number(let number)? = fields["l0"] { l0 = number }
      return Dictionary(
        name: try text(fields["name"]), kind: try text(fields["kind"]), reads: try text(fields["reads"]),
        writes: try text(fields["writes"]), width: try number("width", 1 << 31),
        inputWidth: try number("d_in", 1 << 31), outputWidth: try number("d_out", 1 << 31),
        sha256: try text(fields["weights_sha256"]), l0: l0, card: try optional("card"),
        prefixes: try optional("prefixes"), features: try number("features", 1 << 31), isAttention: flag("attention"),
        isSampled: flag("sampled"))
    }
    return try strings.map { try text($0) }
  }

  private mutating func readSequences(_ reader: inout ColumnReader, context: Int) throws {
    let count = reader.remaining(.vocabulary)
    for _ in 0..<count { vocabulary.append(Int32(try reader.get(.vocabulary, width: 3, in: 0..<1 << 24))) }
    var last = -1
    while reader.remaining(.sequenceNumber) > 0 {
      let number = last + 1 + (try reader.get(.sequenceNumber, in: 0..<Int(Int32.max)))
      guard number <= Int(Int32.max) else { throw Fault(reason: "has a sequence of number \(number)") }
      last = number
      let length = try reader.get(.sequenceLength, in: 1..<context + 1)
      let tokens = try (0..<length).map { _ in try token(&reader, .token) }
      let scales = try (0..<length).map { _ in try reader.get(.scale, width: 2, in: PackedNumber.coarseCodes) }
      sequences.append(Sequence(number: number, tokens: tokens, scales: scales))
    }
  }

  func token(_ reader: inout ColumnReader, _ column: PackedColumn) throws -> Int32 {
    vocabulary[try reader.get(column, width: 3, in: 0..<vocabulary.count)]
  }

  private mutating func readPool(_ reader: inout ColumnReader, context: Int) throws {
    let (before, after) = (number("window_before") ?? 0, number("window_after") ?? 0)
    for _ in 0..<(try reader.get(.poolCount, in: 0..<1 << 21)) {
      let sequence = try reader.get(.poolSequence, width: 3, in: 0..<sequences.count)
      let start = try reader.get(.poolStart, in: 0..<context)
      guard start + before + 1 + after <= sequences[sequence].tokens.count else {
        throw Fault(reason: "has a window of the pool that ends behind its sequence")
      }
      pool.append(Window(sequence: sequence, start: start))
    }
    guard !pool.isEmpty else { return }
    for _ in features { poolBits.append(Array(try reader.get(bytes: (pool.count + 7) / 8, .poolBits))) }
  }

  private mutating func readLabels(_ reader: inout ColumnReader, _ strings: [String]) throws {
    var accuracies: [Double] = []
    while reader.remaining(.accuracies) > 0 {
      let number = Double(bitPattern: try reader.bits(.accuracies, width: 8))
      guard number >= 0, number <= 1 else { throw Fault(reason: "has an accuracy outside 0 to 1") }
      accuracies.append(number)
    }
    func string(_ column: PackedColumn) throws -> String? {
      let place = try reader.get(column, in: 0..<strings.count + 1)
      return place > 0 ? strings[place - 1] : nil
    }
    func known(_ column: PackedColumn) throws -> String {
      guard let text = try string(column) else { throw Fault(reason: "has a label or score without a name") }
      return text
    }
    func accuracy() throws -> Double? {
      let place = try reader.get(.scoreAccuracy, in: 0..<accuracies.count + 1)
      return place > 0 ? accuracies[place - 1] : nil
    }
    for _ in 0..<(try reader.get(.labelCount, in: 0..<1 << 31)) {
      let feature = try reader.get(.labelFeature, width: 3, in: 0..<features.count)
      let (author, method, created) = (try known(.labelKind), try known(.labelKind), try known(.labelKind))
      let prompt = try string(.labelKind)
      let length = try reader.get(.labelLength, in: 0..<1 << 20)
      let text = String(decoding: try reader.get(bytes: length, .labelText), as: UTF8.self)
      let raised = try reader.get(.labelRaised, in: 0..<features[feature].raised.count + 1)
      let scores = try (0..<(try reader.get(.scoreCount, in: 0..<256))).map { _ in
        let (test, judge, created) = (try known(.scoreKind), try known(.scoreKind), try known(.scoreKind))
        let reason = try string(.scoreKind)
        let counts = try (0..<8).map { _ in try reader.get(.scoreCounts, in: 0..<1 << 31) }
        return Score(
          test: test, judge: judge, reason: reason, created: created, balanced: try accuracy(), hard: try accuracy(),
          counts: counts)
      }
      labels.append(
        Label(
          feature: feature, author: author, method: method, text: text, raised: raised, created: created,
          prompt: prompt,
          scores: scores))
    }
  }
}
