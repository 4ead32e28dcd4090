import Atlas
import Checkpoints
import Dictionaries
import Foundation
import TestSupport
import Testing

/// Packed atlases: what comes back, and what is refused.
@Suite struct PackedAtlasTests {
  private let tiny: TinyAtlas
  private let atlas: Atlas
  private let file: URL

  init() throws {
    tiny = try TinyAtlas()
    var options = TinyAtlas.options
    (options.examples, options.poolWindows, options.tokens) = (8, 11, 2000)
    atlas = try tiny.build("atlas.sqlite", options)
    file = tiny.url("atlas.gsatlas")
  }

  private func expand(_ file: URL, _ name: String, sha256: String = "m", from: [SparseDictionary]? = nil) throws
    -> Atlas
  {
    try PackedAtlas(contentsOf: file).expand(
      to: tiny.url(name), dictionaries: from ?? tiny.dictionaries, model: tiny.model,
      AtlasModel(name: "tiny", sha256: sha256), tokenizer: tiny.tokenizer)
    return try Atlas(contentsOf: tiny.url(name))
  }

  private func explain() throws {
    try ExplanationRun(explainer: LexicalExplainer(), judge: LexicalJudge()).explain(
      atlas.dictionaries.flatMap { try atlas.features(of: $0.name) }, of: atlas, into: ExplanationStore(atlas),
      report: { _ in })
  }

  private func near(_ a: Double?, _ b: Double?, _ share: Double) -> Bool {
    guard let a, let b else { return a == nil && b == nil }
    return abs(a - b) <= share * abs(a) + 1e-12
  }

  @Test func whatIsPackedComesBack() throws {
    try explain()
    try atlas.pack(to: file)
    let copy = try expand(file, "copy.sqlite")
    let check = try copy.check()
    #expect(check.faults.isEmpty, "\(check.faults)")
    #expect(try copy.meta("packed") == "1" && copy.meta("packed_rounding") != nil)
    for key in ["tokens", "context", "seed", "model_sha256", "corpus", "window_before", "created"] {
      #expect(try copy.meta(key) == atlas.meta(key), "\(key)")
    }
    var (examples, labels, effects, sources) = (0, 0, 0, 0)
    for (dictionary, other) in zip(atlas.dictionaries, copy.dictionaries) {
      #expect(dictionary.name == other.name && dictionary.l0 == other.l0 && dictionary.sha256 == other.sha256)
      for key in try atlas.features(of: dictionary.name) {
        let (a, b) = (try atlas.feature(key), try copy.feature(key))
        #expect(a.count == b.count && a.sequences == b.sequences && a.rate == b.rate && a.sketch == b.sketch)
        #expect(a.quantiles.map(\.value) == b.quantiles.map(\.value) && a.intervals == b.intervals)
        #expect(near(a.mean, b.mean, 1.0 / 512) && near(a.maximum, b.maximum, 1.0 / 512))
        #expect(a.place?.sequence == b.place?.sequence && a.place?.position == b.place?.position)
        #expect(a.nearest == b.nearest && a.elsewhere == b.elsewhere && a.coactive == b.coactive)
        #expect(a.prefix == b.prefix && a.explanations == b.explanations)
        labels += b.explanations.count
        #expect(a.logits?.top.map(\.token) == b.logits?.top.map(\.token))
        let values = zip(a.logits?.bottom ?? [], b.logits?.bottom ?? [])
        #expect(values.allSatisfy { near(Double($0.value), Double($1.value), 1e-4) && $0.token == $1.token })
        for group in [ExampleGroup.top] + a.intervals.indices.map({ ExampleGroup.interval($0) }) {
          let (mine, others) = (try atlas.examples(key, group), try copy.examples(key, group))
          #expect(mine.count == others.count)
          for (one, two) in zip(mine, others) {
            examples += 1
            #expect(one.sequence == two.sequence && one.position == two.position && one.start == two.start)
            #expect(one.tokens == two.tokens && one.split == two.split && !two.isPartial)
            #expect(near(one.activation, two.activation, 1.0 / 512) && near(one.effect, two.effect, 0.05))
            for (x, y) in zip(one.activations, two.activations) { #expect(near(Double(x), Double(y), 1.0 / 16)) }
            for (x, y) in zip(one.effects, two.effects) {
              #expect(near(x.map { Double($0) }, y.map { Double($0) }, 0.1))
              effects += y == nil ? 0 : 1
            }
            guard let from = one.sources, let to = two.sources else {
              #expect(one.sources == nil && two.sources == nil)
              continue
            }
            sources += 1
            let all = from.window + [from.begin, from.elsewhere] + from.outside.map(\.value)
            let largest = (all.map { abs($0) }.max() ?? 0) * 0.006
            for (x, y) in zip(from.window + [from.begin], to.window + [to.begin]) { #expect(abs(x - y) <= largest) }
            #expect(from.outside.map(\.position) == to.outside.map(\.position))
          }
        }
      }
    }
    #expect(examples > 500 && labels > 50 && effects > 500 && sources > 20)
    // The same file makes the same atlas, which is not packed once more.
    #expect(try expand(file, "again.sqlite").digest() == copy.digest())
    #expect(throws: AtlasError.self) { try copy.pack(to: file) }
    // Evidence for labels: silent windows are the same.
    let (before, after) = (try AtlasEvidence(atlas), try AtlasEvidence(copy))
    for key in try atlas.features(of: "residual") {
      let (a, b) = (try before.feature(key), try after.feature(key))
      #expect(a.test.negatives == b.test.negatives && a.explain.examples.count == b.explain.examples.count)
    }
  }

  @Test func lessCanBePacked() throws {
    try explain()
    try atlas.pack(
      to: file, options: PackedOptions(top: 2, perInterval: 1, logits: 3, coactive: 2, pool: 2, bars: 8, labels: false))
    let copy = try expand(file, "copy.sqlite")
    #expect(try copy.check().faults.isEmpty)
    for key in try atlas.features(of: "attention") {
      let (a, b) = (try atlas.feature(key), try copy.feature(key))
      #expect(a.count == b.count && b.explanations.isEmpty && a.intervals == b.intervals)
      // Quantiles and intervals are whole; of the sketch what has four bars to an octave.
      #expect(a.quantiles.map(\.value) == b.quantiles.map(\.value) && a.sketch.histogram == b.sketch.histogram)
      #expect(b.coactive == Array(a.coactive.prefix(2)))
      #expect(b.logits?.top.map(\.token) ?? [] == Array((a.logits?.top.map(\.token) ?? []).prefix(3)))
      #expect(try copy.examples(key, .top).map(\.position) == atlas.examples(key, .top).prefix(2).map(\.position))
      for bin in a.intervals.indices {
        #expect(try copy.examples(key, .interval(bin)).count == min(1, atlas.examples(key, .interval(bin)).count))
      }
    }
    #expect(throws: AtlasError.self) { try atlas.pack(to: file, options: PackedOptions(top: 0)) }
  }

  @Test func expandedAtlasesAreSearched() throws {
    try atlas.pack(to: file)
    let copy = try expand(file, "copy.sqlite")
    let (mine, others) = (try atlas.search(words: "a*"), try copy.search(words: "a*"))
    #expect(!mine.isEmpty && mine.map(\.key) == others.map(\.key))
  }

  @Test func otherWeightsAreRefused() throws {
    try atlas.pack(to: file)
    func refusal(_ body: () throws -> Void) -> String {
      do { try body() } catch { return "\(error)" }
      return ""
    }
    #expect(refusal { _ = try expand(file, "a.sqlite", sha256: "n") }.contains("another model"))
    #expect(
      refusal { _ = try expand(file, "a.sqlite", from: Array(tiny.dictionaries.dropLast())) }.contains("crosscoder"))
    // A dictionary of other weights under the same name.
    let folder = tiny.url("changed")
    try FileManager.default.copyItem(at: tiny.dictionaries[0].url, to: folder)
    for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) where name.hasSuffix(".safetensors") {
      let weights = folder.appending(path: name)
      var data = try Data(contentsOf: weights)
      data[data.count - 3] ^= 1
      try data.write(to: weights)
    }
    let changed = try SparseDictionary(contentsOf: folder, name: "residual", backend: tiny.backend)
    let told = refusal { _ = try expand(file, "a.sqlite", from: [changed] + tiny.dictionaries.dropFirst()) }
    #expect(told.contains("another 'residual'") && told.contains("SHA-256"))
    // Nothing is left of what was refused, and what is there is not replaced.
    #expect(!FileManager.default.fileExists(atPath: tiny.url("a.sqlite").path))
    #expect(!FileManager.default.fileExists(atPath: tiny.url("a.sqlite-build").path))
    _ = try expand(file, "a.sqlite")
    #expect(refusal { _ = try expand(file, "a.sqlite") }.contains("is there already"))
  }

  /// No byte can change, and no end be missing, without its being told.
  @Test func damagedFilesAreRefused() throws {
    try atlas.pack(to: file, options: PackedOptions(top: 2, perInterval: 0, pool: 1))
    let bytes = [UInt8](try Data(contentsOf: file))
    var random = SeededRandom(seed: 8)
    var cases = (0..<300).map { _ in Array(bytes.prefix(random.int(0...bytes.count - 1))) }
    for _ in 0..<600 {
      var changed = bytes
      changed[random.int(0...bytes.count - 1)] ^= UInt8(1 << random.int(0...7))
      cases.append(changed)
    }
    cases += [bytes + [0], Array("GSATPACK".utf8), []]
    for damaged in cases {
      #expect(throws: AtlasError.self) { try PackedAtlas(damaged, url: file) }
    }
    var newer = bytes
    newer[8] = 9
    do {
      _ = try PackedAtlas(newer, url: file)
      Issue.record("another version was read")
    } catch { #expect("\(error)".contains("version 9")) }
  }

  /// A file may be forged with a right hash: what it holds is refused, or makes an atlas, whatever stands there.
  @Test func forgedContentsNeverCrash() throws {
    try explain()
    try atlas.pack(to: file, options: PackedOptions(top: 2, perInterval: 1, pool: 2, bars: 4))
    let columns = try PackedContainer.unpack([UInt8](try Data(contentsOf: file)), path: "forged")
    let used = columns.indices.filter { !columns[$0].isEmpty }
    #expect(used.count > 40)
    var random = SeededRandom(seed: 5)
    var (refused, read) = (0, 0)
    for trial in 0..<600 {
      var forged = columns
      for _ in 0..<random.int(1...3) {
        let column = used[trial % 2 == 0 ? trial / 2 % used.count : random.int(0...used.count - 1)]
        guard !forged[column].isEmpty else { continue }
        let place = random.int(0...forged[column].count - 1)
        switch random.int(0...3) {
        case 0: forged[column][place] ^= UInt8(1 << random.int(0...7))
        case 1: forged[column][place] = UInt8(random.int(0...255))
        case 2: forged[column].removeLast(random.int(1...min(9, forged[column].count)))
        default: forged[column].insert(contentsOf: [255, 255, 255, 255, 127].prefix(random.int(1...5)), at: place)
        }
      }
      do {
        let packed = try PackedAtlas(PackedContainer.pack(forged, file: "forged"), url: file)
        read += 1
        guard read % 8 == 0 else { continue }
        try packed.expand(
          to: tiny.url("forged-\(trial).sqlite"), dictionaries: tiny.dictionaries, model: tiny.model,
          AtlasModel(name: "tiny", sha256: "m"), tokenizer: tiny.tokenizer)
        _ = try Atlas(contentsOf: tiny.url("forged-\(trial).sqlite")).check()
      } catch is AtlasError {
        refused += 1
      }
    }
    #expect(refused > 100 && read > 50, "\(refused) refused, \(read) read")
  }
}
