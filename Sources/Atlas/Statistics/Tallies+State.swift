/// What a build keeps between two runs of the program.
extension StateWriter {
  mutating func put(_ example: KeptExample) {
    put(example.activation)
    put(example.sequence)
    put(example.position)
    put(example.start)
    put(example.length)
    put(example.active) { active, writer in
      writer.put(active.offset)
      writer.put(active.activation)
    }
    put(UInt8(example.sources == nil ? 0 : 1))
    guard let sources = example.sources else { return }
    put(sources.window.map(\.bitPattern))
    put(sources.begin)
    put(sources.elsewhere)
    put(sources.outside) { source, writer in
      writer.put(source.position)
      writer.put(source.value)
    }
  }

  mutating func put(_ tally: FeatureTally) {
    put(Int64(tally.count))
    put(Int64(tally.sequences))
    put(tally.sum)
    put(tally.sketch.encoded)
    put(tally.top.list) { $1.put($0) }
    put(tally.binned.bins) { bin, writer in
      writer.put(bin.number)
      writer.put(bin.items) { item, writer in
        writer.put(item.hash)
        writer.put(item.example)
      }
    }
  }

  mutating func put(_ tally: DictionaryTally) {
    put(tally.name)
    put(Int64(tally.width))
    put(Int64(tally.reads))
    put(tally.features) { $1.put($0) }
    switch tally.coactivation {
    case .triangle(let triangle):
      put(UInt8(0))
      put(triangle.counts)
    case .sample(let sample):
      put(UInt8(1))
      put(sample.tokens) { token, writer in
        writer.put(token.hash)
        writer.put(token.sequence)
        writer.put(token.position)
        writer.put(token.features)
      }
    }
  }

  mutating func put(_ pool: WindowPool) {
    for half in pool.halves {
      put(half) { window, writer in
        writer.put(window.hash)
        writer.put(window.sequence)
        writer.put(window.start)
        writer.put(Int64(window.split))
        writer.put(window.active) { $1.put($0) }
      }
    }
  }
}

extension StateReader {
  mutating func example() throws -> KeptExample {
    let (activation, sequence, position) = (try float(), try get(Int32.self), try get(Int32.self))
    let (start, length) = (try get(Int32.self), try get(Int32.self))
    let active = try elements(size: 5) { reader in
      KeptExample.Active(offset: try reader.get(), activation: try reader.float())
    }
    var example = KeptExample(
      activation: activation, sequence: sequence, position: position, start: start, length: length, active: active)
    guard try get(UInt8.self) == 1 else { return example }
    let window = try numbers(UInt32.self).map { Float(bitPattern: $0) }
    let (begin, elsewhere) = (try float(), try float())
    let outside = try elements(size: 8) { (position: try $0.get(Int32.self), value: try $0.float()) }
    example.sources = KeptExample.Sources(window: window, begin: begin, elsewhere: elsewhere, outside: outside)
    return example
  }

  mutating func featureTally() throws -> FeatureTally {
    var tally = FeatureTally()
    tally.count = Int(try get(Int64.self))
    tally.sequences = Int(try get(Int64.self))
    tally.sum = try double()
    guard let sketch = ActivationSketch(encoded: try numbers(UInt8.self)) else { throw Failure() }
    tally.sketch = sketch
    tally.top.list = try elements(size: 20) { try $0.example() }
    tally.binned.bins = try elements(size: 12) { reader in
      BinnedExamples.Bin(
        number: try reader.get(),
        items: try reader.elements(size: 28) { reader in
          BinnedExamples.Item(hash: try reader.get(), example: try reader.example())
        })
    }
    return tally
  }

  /// The statistics of a dictionary of this name and size.
  mutating func dictionaryTally(name: String, width: Int, reads: Int) throws -> DictionaryTally {
    guard try text() == name, try get(Int64.self) == width, try get(Int64.self) == reads else { throw Failure() }
    let features = try elements(size: 24) { try $0.featureTally() }
    guard features.count == width * reads else { throw Failure() }
    var coactivation = Coactivation(width: features.count)
    let kind = try get(UInt8.self)
    switch coactivation {
    case .triangle(var triangle):
      let counts = try numbers(UInt32.self)
      guard kind == 0, counts.count == triangle.counts.count else { throw Failure() }
      triangle.counts = counts
      coactivation = .triangle(triangle)
    case .sample(let empty):
      guard kind == 1 else { throw Failure() }
      let tokens = try elements(size: 24) { reader in
        CoactivationSample.Token(
          hash: try reader.get(), sequence: try reader.get(), position: try reader.get(),
          features: try reader.numbers())
      }
      coactivation = .sample(CoactivationSample(capacity: empty.capacity, tokens: tokens))
    }
    return DictionaryTally(name: name, width: width, reads: reads, features: features, coactivation: coactivation)
  }

  /// The windows of a pool made alike, for dictionaries of so many features each.
  mutating func pool(_ empty: WindowPool, dictionaries: [Int]) throws -> WindowPool {
    var pool = empty
    for half in pool.halves.indices {
      pool.halves[half] = try elements(size: 24) { reader in
        let (hash, sequence) = (try reader.get(UInt64.self), try reader.get(Int32.self))
        let (start, split) = (try reader.get(Int32.self), Int(try reader.get(Int64.self)))
        let active = try reader.elements(size: 8) { try $0.numbers(UInt64.self) }
        guard split == half, active.map(\.count) == dictionaries.map({ ($0 + 63) / 64 }) else { throw Failure() }
        return WindowPool.Window(hash: hash, sequence: sequence, start: start, split: split, active: active)
      }
    }
    return pool
  }
}
