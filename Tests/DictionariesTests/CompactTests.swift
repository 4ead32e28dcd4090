import Checkpoints
import Dictionaries
import Foundation
import Sites
import Tensors
import TestSupport
import Testing

/// The compact form: int8 rows with scales.
struct CompactTests {
  /// A compact dictionary is exactly the dictionary whose rows are the stored rows, used every way there is.
  @Test(arguments: RandomParameters.kinds, [11, 12, 13, 14, 15])
  func everyUseEqualsThatOfTheWidenedRows(_ kind: RandomParameters.Kind, seed: Int) throws {
    var random = SeededRandom(seed: UInt64(seed))
    let parameters = try RandomParameters.make(kind, random: &random)
    let folder = try TemporaryDirectory()
    let (compact, wide) = (folder.url.appending(path: "compact"), folder.url.appending(path: "wide"))
    try parameters.writeCompact(to: compact, training: #"{"card":{"l0":3}}"#)
    for threads in [1, 3] {
      let backend = try NativeBackend(threads: threads)
      let dictionary = try SparseDictionary(
        contentsOf: compact, backend: backend, residentLimit: threads == 1 ? 0 : nil)
      #expect(dictionary.configuration.isCompact && dictionary.shape == parameters.shape)
      if threads == 1 { try DictionaryParameters(dictionary).write(to: wide) }
      let reference = try SparseDictionary(contentsOf: wide, backend: backend)
      let shape = parameters.shape
      let inputs = try RandomParameters.inputs(shape, tokens: random.int(1...40), backend: backend, random: &random)
      let (code, outputs) = try dictionary.reconstruct(inputs)
      let (expectedCode, expected) = try reference.reconstruct(inputs)
      for read in shape.reads.indices {
        // Only pre-activations within rounding of their threshold may differ.
        let (found, wanted) = (
          dense(code.layers[read], width: shape.width), dense(expectedCode.layers[read], width: shape.width)
        )
        let differing = zip(found, wanted).filter { abs($0 - $1) > 1e-4 * max(1, abs($1)) }.count
        #expect(differing <= found.count / 1000, "\(differing) of \(found.count)")
        for feature in [0, shape.width - 1] {
          #expect(
            try dictionary.encoderColumn(read: read, feature: feature)
              == reference.encoderColumn(read: read, feature: feature))
          for write in shape.writes.indices {
            #expect(
              try dictionary.decoderRow(read: read, feature: feature, write: write)
                == reference.decoderRow(read: read, feature: feature, write: write))
          }
        }
      }
      let again = try dictionary.decode(expectedCode, inputs: inputs)
      for write in shape.writes.indices {
        #expect(try relativeDifference(again[write].read(), expected[write].read().map(Double.init)) < 1e-5)
        #expect(
          try dictionary.decode(code, write: write, input: inputs[write]).read() == outputs[write].read())
      }
    }
  }

  @Test(arguments: RandomParameters.kinds)
  func numbersAreOffByHalfAScaleAtMost(_ kind: RandomParameters.Kind) throws {
    var random = SeededRandom(seed: 3)
    let parameters = try RandomParameters.make(kind, random: &random)
    let folder = try TemporaryDirectory()
    let place = folder.url.appending(path: "compact")
    try parameters.writeCompact(to: place)
    let found = try DictionaryParameters(SparseDictionary(contentsOf: place, backend: NativeBackend(threads: 1)))
    for (old, new) in zip(parameters.layers, found.layers) {
      let width = parameters.shape.width
      for feature in 0..<width {
        let (before, after) = (column(old.encoder, feature, width), column(new.encoder, feature, width))
        #expect(zip(before, after).allSatisfy { abs($0 - $1) <= halfScale(before[...]) })
        // What a transcoder reads on average is not known here: its rows are as fine as int8 can be.
        if kind.kind == .transcoder || kind.kind == .clt {
          let most = (before.map(abs).max() ?? 0) / 253.9
          #expect(zip(before, after).allSatisfy { abs($0 - $1) <= most })
        }
      }
      let outputs = parameters.shape.outputWidth
      for (before, after) in [(old.decoder, new.decoder), (old.skip ?? [], new.skip ?? [])] {
        for start in stride(from: 0, to: before.count, by: outputs) {
          let row = before[start..<start + outputs]
          #expect(zip(row, after[start...]).allSatisfy { abs($0 - $1) <= halfScale(row) })
        }
      }
      #expect(old.threshold == new.threshold)
      // What b_dec has of the changed directions moves into the bias; transcoders read something else.
      #expect(
        zip(old.encoderBias, new.encoderBias).allSatisfy {
          abs($0 - $1) <= (kind.kind == .sae || kind.kind == .crosscoder ? Float(parameters.shape.inputWidth) / 17 : 0)
        })
      #expect(old.decoderBias == new.decoderBias)
    }
  }

  /// Half of the largest scale that a row may get.
  private func halfScale(_ row: ArraySlice<Float>) -> Float {
    let squares = row.reduce(0) { $0 + $1 * $1 }
    return 0.5001 * max((row.map(abs).max() ?? 0) / 127, (squares / Float(row.count)).squareRoot() / 9)
  }

  /// Activations as real ones are: a mean with a few huge coordinates, and three of 512 unit directions. The dictionary
  /// knows the directions.
  @Test func whatARealisticDictionaryLoses() throws {
    var random = SeededRandom(seed: 33)
    let (d, width, tokens) = (128, 512, 400)
    let directions = (0..<width).map { _ in
      let row = random.floats(d)
      let norm = row.reduce(0) { $0 + $1 * $1 }.squareRoot()
      return row.map { $0 / norm }
    }
    var mean = random.floats(d, scale: 2)
    for place in [3, 77] { mean[place] = 300 }
    var x: [Float] = []
    for _ in 0..<tokens {
      var row = mean
      for _ in 0..<3 {
        let (feature, strength) = (random.int(0...width - 1), 5 + 5 * abs(random.float()))
        for i in 0..<d { row[i] += strength * directions[feature][i] }
      }
      x += zip(row, random.floats(d, scale: 0.2)).map { $0 + $1 }
    }
    let biases = directions.map { row in -zip(row, mean).reduce(0) { $0 + $1.0 * $1.1 } }
    let parameters = try DictionaryParameters(
      shape: DictionaryShape(
        checking: .sae, reads: [.residPost(9)], writes: [.residPost(9)], width: width, inputWidth: d, outputWidth: d),
      layers: [
        .init(
          encoder: (0..<d * width).map { directions[$0 % width][$0 / width] }, encoderBias: biases,
          threshold: [Float](repeating: 3.5, count: width), decoder: directions.flatMap { $0 }, decoderBias: mean)
      ])
    let folder = try TemporaryDirectory()
    let backend = try NativeBackend(threads: 2)
    let input = try backend.tensor(x, shape: [tokens, d])
    func measure(_ name: String, _ write: (URL) throws -> Void) throws -> (fvu: Double, code: [Float]) {
      let place = folder.url.appending(path: name)
      try write(place)
      let dictionary = try SparseDictionary(contentsOf: place, backend: backend)
      let (code, outputs) = try dictionary.reconstruct([input])
      return (try unexplained(input.read(), outputs[0].read(), width: d), dense(code.layers[0], width: width))
    }
    let plain = try measure("plain") { try parameters.write(to: $0) }
    let compact = try measure("compact") {
      try parameters.writeCompact(to: $0, inputMeans: [[Float](repeating: 0, count: d)])
    }
    let corrected = try measure("corrected") { try parameters.writeCompact(to: $0) }
    func switched(_ code: [Float]) -> Double {
      let active = plain.code.count { $0 > 0 }
      return Double(zip(code, plain.code).count { ($0 > 0) != ($1 > 0) }) / Double(active)
    }
    func error(_ code: [Float]) -> Double {
      zip(code, plain.code).reduce(0) { $0 + ($1.0 > 0 && $1.1 > 0 ? Double(abs($1.0 - $1.1)) : 0) }
    }
    #expect(plain.fvu < 0.5)
    // The two huge coordinates shift every pre-activation unless the means are known.
    let figures = "\(switched(compact.code)) \(compact.fvu), \(switched(corrected.code)) \(corrected.fvu), \(plain.fvu)"
    // The two huge coordinates shift every pre-activation unless the means are known.
    #expect(switched(compact.code) > 0.1 && compact.fvu > plain.fvu + 0.02, "\(figures)")
    #expect(switched(corrected.code) < 0.03 && abs(corrected.fvu - plain.fvu) < 0.002, "\(figures)")
    #expect(error(corrected.code) < error(compact.code) / 5)
    // The files' sizes: a sixth.
    let bytes = try ["plain/params.safetensors", "compact/params.safetensors.gz"].map {
      try Data(contentsOf: folder.url.appending(path: $0)).count
    }
    #expect(Double(bytes[1]) < 0.19 * Double(bytes[0]))
    #expect(throws: DictionaryError.self) {
      try parameters.writeCompact(to: folder.url.appending(path: "bad"), inputMeans: [[1]])
    }
  }

  private func column(_ matrix: [Float], _ column: Int, _ width: Int) -> [Float] {
    stride(from: column, to: matrix.count, by: width).map { matrix[$0] }
  }

  @Test func extremeRows() {
    let rows = QuantisedRows(count: 4, length: 3) { i, row in
      let numbers: [[Float]] = [
        [0, 0, 0], [Float.leastNonzeroMagnitude, 0, -Float.leastNonzeroMagnitude], [3e38, -3e38, 1], [-127, 63.4, 0.4],
      ]
      for j in row.indices { row[j] = numbers[i][j] }
    }
    #expect(rows.values == [0, 0, 0, 0, 0, 0, 11, -11, 0, -14, 7, 0])
    #expect(rows.scales.allSatisfy { $0.isFinite && $0 >= 0 })
  }

  @Test func aHugeCoordinateIsReached() {
    let rows = QuantisedRows(count: 1, length: 640) { _, row in
      for j in row.indices { row[j] = j == 7 ? -1000 : Float(j % 5) }
    }
    #expect(rows.values[7] == -127 && abs(rows.row(0)[7] + 1000) < 1e-3)
  }

  /// A folder whose files somebody unpacked is read all the same; a damaged or cut file is named.
  @Test func packedAndUnpackedFiles() throws {
    var random = SeededRandom(seed: 22)
    let parameters = try RandomParameters.make(.init(kind: .crosscoder, isAffine: false), random: &random)
    let folder = try TemporaryDirectory()
    let (packed, plain) = (folder.url.appending(path: "packed"), folder.url.appending(path: "plain"))
    try parameters.writeCompact(to: packed)
    try FileManager.default.createDirectory(at: plain, withIntermediateDirectories: true)
    try FileManager.default.copyItem(at: packed.appending(path: "config.json"), to: plain.appending(path: "config.json"))
    for read in parameters.layers.indices {
      let name = "params_layer_\(read).safetensors"
      let bytes = try GzipReader.unpack(.mapped(packed.appending(path: name + ".gz")), path: name)
      try Data(bytes.bytes).write(to: plain.appending(path: name))
    }
    let backend = try NativeBackend(threads: 1)
    let found = try [packed, plain].map {
      try DictionaryParameters(SparseDictionary(contentsOf: $0, backend: backend))
    }
    #expect(found[0].layers == found[1].layers)
    let first = packed.appending(path: "params_layer_0.safetensors.gz")
    var bytes = try Data(contentsOf: first)
    bytes[bytes.count / 2] ^= 1
    for broken in [bytes, bytes.prefix(bytes.count / 2), Data()] {
      try broken.write(to: first)
      #expect {
        try SparseDictionary(contentsOf: packed, backend: backend)
      } throws: {
        "\($0)".contains("params_layer_0.safetensors.gz")
      }
    }
    try FileManager.default.removeItem(at: packed.appending(path: "params_layer_1.safetensors.gz"))
    #expect {
      try SparseDictionary(contentsOf: packed, backend: backend)
    } throws: {
      "\($0)".contains("params_layer_1.safetensors.gz is missing")
    }
  }

  @Test func faultsAreNamed() throws {
    var random = SeededRandom(seed: 21)
    let parameters = try RandomParameters.make(.init(kind: .transcoder, isAffine: true), random: &random)
    let folder = try TemporaryDirectory()
    let good = folder.url.appending(path: "good")
    try parameters.writeCompact(to: good)
    let file = try SafetensorsFile(
      storage: GzipReader.unpack(.mapped(good.appending(path: "params.safetensors.gz")), path: "good"), path: "good")
    let tensors = try Dictionary(uniqueKeysWithValues: file.names.map { ($0, try file.tensor($0)) })
    let config = try String(contentsOf: good.appending(path: "config.json"), encoding: .utf8)
    let backend = try NativeBackend(threads: 1)

    func opening(_ tensors: [String: Tensor], _ config: String) throws {
      let bad = folder.url.appending(path: "bad")
      try? FileManager.default.removeItem(at: bad)
      try FileManager.default.createDirectory(at: bad, withIntermediateDirectories: true)
      try SafetensorsWriter.write(tensors, to: bad.appending(path: "params.safetensors"))
      try Data(config.utf8).write(to: bad.appending(path: "config.json"))
      _ = try SparseDictionary(contentsOf: bad, backend: backend)
    }
    try opening(tensors, config)
    for name in tensors.keys {
      var less = tensors
      less[name] = nil
      #expect(throws: DictionaryError.self) { try opening(less, config) }
      var other = tensors
      other[name] = try Tensor([Float](repeating: 1, count: 1), shape: [1, 1, 1])
      #expect(throws: DictionaryError.self) { try opening(other, config) }
      if name.hasSuffix("scale") {
        for number in [Float.nan, -1, .infinity] {
          var values = try tensors[name]?.read() ?? []
          values[values.count - 1] = number
          other[name] = try Tensor(values, shape: [values.count])
          #expect(throws: DictionaryError.self) { try opening(other, config) }
        }
      }
    }
    var more = tensors
    more["w_enc"] = try Tensor([1], shape: [1])
    #expect(throws: DictionaryError.self) { try opening(more, config) }
    for (old, new) in [
      ("\"version\": 1", "\"version\": 2"), ("\"version\": 1", "\"version\": \"1\""),
      ("gemmascope-compact", "gemmascope-tiny"), (",\n  \"version\": 1", ""), ("\"gemmascope-compact\"", "7"),
    ] {
      #expect(config.contains(old))
      #expect(throws: DictionaryError.self) { try opening(tensors, config.replacingOccurrences(of: old, with: new)) }
    }
  }
}

/// Σ‖x − y‖² / Σ‖x − x̄‖², rows of `width` numbers.
private func unexplained(_ x: [Float], _ y: [Float], width: Int) -> Double {
  var mean = [Double](repeating: 0, count: width)
  for (i, value) in x.enumerated() { mean[i % width] += Double(value) * Double(width) / Double(x.count) }
  var (error, variance) = (0.0, 0.0)
  for (i, pair) in zip(x, y).enumerated() {
    error += pow(Double(pair.0) - Double(pair.1), 2)
    variance += pow(Double(pair.0) - mean[i % width], 2)
  }
  return error / variance
}
