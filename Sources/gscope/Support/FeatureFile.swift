import Checkpoints
import Dictionaries
import Sites
import Tensors

/// The arrays of `gscope features --save`. Texts follow one another: row offsets run over all of them.
enum FeatureFile {
  static func write(
    _ readings: [FeatureReading], dictionaries: [SparseDictionary], isMany: Bool, to path: String
  ) throws {
    let total = readings.reduce(0) { $0 + $1.text.count }
    var entries: [SafetensorsWriter.Entry] = []
    for (i, dictionary) in dictionaries.enumerated() {
      let count = readings.reduce(0) { $0 + $1.parts[i].code.count }
      entries += [
        .init("\(i).row_offsets", shape: [total + 1], dtype: .i64), .init("\(i).features", shape: [count], dtype: .i32),
        .init("\(i).activations", shape: [count], dtype: .f32),
      ]
      if dictionary.shape.isMultiLayer { entries.append(.init("\(i).layers", shape: [count], dtype: .i32)) }
      guard readings.contains(where: { !$0.parts[i].outputs.isEmpty }) else { continue }
      let (writes, width) = (dictionary.shape.writes.count, dictionary.shape.outputWidth)
      entries.append(
        .init(
          "\(i).reconstruction", shape: dictionary.shape.isMultiLayer ? [total, writes, width] : [total, width],
          dtype: .f32))
    }
    let file = try ArrayFile(path, texts: readings.map(\.text), isMany: isMany, entries: entries)
    for (i, dictionary) in dictionaries.enumerated() {
      try file.append([Int64(0)], to: "\(i).row_offsets")
      var end: Int64 = 0
      for reading in readings {
        try append(reading.parts[i], dictionary, index: i, end: &end, to: file)
        try Interruption.check()
      }
    }
    try file.finish()
  }

  private static func append(
    _ part: FeatureReading.Part, _ dictionary: SparseDictionary, index: Int, end: inout Int64, to file: ArrayFile
  ) throws {
    let code = part.code
    var offsets: [Int64] = []
    var features: [Int32] = []
    var activations: [Float] = []
    var layers: [Int32] = []
    for row in 0..<code.rows {
      for (read, layer) in code.layers.enumerated() {
        let entries = layer.entries(ofRow: row)
        features += layer.features[entries]
        activations += layer.activations[entries]
        layers += repeatElement(Int32(dictionary.shape.reads[read].layer), count: entries.count)
      }
      offsets.append(end + Int64(features.count))
    }
    end += Int64(features.count)
    try file.append(offsets, to: "\(index).row_offsets")
    try file.append(features, to: "\(index).features")
    try file.append(activations, to: "\(index).activations")
    if dictionary.shape.isMultiLayer { try file.append(layers, to: "\(index).layers") }
    guard let first = part.outputs.first else { return }
    guard dictionary.shape.isMultiLayer else { return try file.append(first, to: "\(index).reconstruction") }
    // [writes][tokens, d] becomes [tokens, writes, d].
    let outputs = try part.outputs.map { try $0.read() }
    let width = dictionary.shape.outputWidth
    for row in 0..<code.rows {
      for output in outputs {
        try file.append(Array(output[row * width..<(row + 1) * width]), to: "\(index).reconstruction")
      }
    }
  }
}
