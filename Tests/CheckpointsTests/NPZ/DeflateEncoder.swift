import TestSupport

/// Writes random but valid deflate streams (RFC 1951), together with what they unpack to: every kind of block, random
/// complete Huffman codes up to 15 bits, and random matches.
struct DeflateEncoder {
  private(set) var output: [UInt8] = []
  private var stream: [UInt8] = []
  private var bit = 0
  private var random: SeededRandom

  init(seed: UInt64) { random = SeededRandom(seed: seed) }

  /// A stream of `blocks` blocks.
  mutating func encode(blocks: Int) -> [UInt8] {
    for block in 1...blocks {
      put(block == blocks ? 1 : 0, 1)
      switch random.int(0...2) {
      case 0: stored()
      case 1:
        put(1, 2)
        body(
          literals: (0..<288).map { $0 < 144 ? 8 : $0 < 256 ? 9 : $0 < 280 ? 7 : 8 },
          distances: [Int](repeating: 5, count: 30))
      default: dynamic()
      }
    }
    return stream
  }

  /// Lowest bit first.
  private mutating func put(_ value: Int, _ count: Int) {
    for i in 0..<count {
      if bit % 8 == 0 { stream.append(0) }
      stream[stream.count - 1] |= UInt8((value >> i & 1) << (bit % 8))
      bit += 1
    }
  }

  /// Highest bit first, as Huffman codes are.
  private mutating func put(code: Int, _ count: Int) {
    for i in (0..<count).reversed() { put(code >> i & 1, 1) }
  }

  private mutating func stored() {
    put(0, 2)
    bit = stream.count * 8
    let bytes = (0..<random.int(0...300)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    stream += [
      UInt8(bytes.count & 0xFF), UInt8(bytes.count >> 8), ~UInt8(bytes.count & 0xFF), ~UInt8(bytes.count >> 8),
    ]
    stream += bytes
    bit = stream.count * 8
    output += bytes
  }

  private mutating func dynamic() {
    put(2, 2)
    // Symbol 256 ends the block; the others are a random choice.
    let used = Set([256] + (0..<random.int(1...285)).map { _ in random.int(0...285) })
    var literals = [Int](repeating: 0, count: 286)
    for (symbol, length) in zip(used.sorted(), randomLengths(used.count, limit: 15)) { literals[symbol] = length }
    let distanceCount = random.int(0...30)
    var distances = [Int](repeating: 0, count: 30)
    if distanceCount == 1 {
      distances[random.int(0...29)] = 1  // the one code that may be incomplete
    } else if distanceCount > 1 {
      let lengths = randomLengths(distanceCount, limit: 15)
      for (symbol, length) in zip((0..<30).shuffled(using: &random), lengths) { distances[symbol] = length }
    }
    put(286 - 257, 5)
    put(30 - 1, 5)
    put(19 - 4, 4)
    // Lengths of the code that codes the lengths.
    let lengthLengths = randomLengths(19, limit: 7)
    for position in [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15] {
      put(lengthLengths[position], 3)
    }
    let codes = Self.codes(lengthLengths)
    func symbol(_ value: Int) { put(code: codes[value], lengthLengths[value]) }
    let lengths = literals + distances
    var at = 0
    while at < lengths.count {
      let run = lengths[at...].prefix { $0 == lengths[at] }.count
      if lengths[at] == 0, run >= 11, random.int(0...3) > 0 {
        let count = random.int(11...min(run, 138))
        symbol(18)
        put(count - 11, 7)
        at += count
      } else if lengths[at] == 0, run >= 3, random.int(0...3) > 0 {
        let count = random.int(3...min(run, 10))
        symbol(17)
        put(count - 3, 3)
        at += count
      } else if at > 0, lengths[at - 1] == lengths[at], run >= 3, random.int(0...3) > 0 {
        let count = random.int(3...min(run, 6))
        symbol(16)
        put(count - 3, 2)
        at += count
      } else {
        symbol(lengths[at])
        at += 1
      }
    }
    body(literals: literals, distances: distances)
  }

  /// A random complete code: a tree grown by splitting leaves.
  private mutating func randomLengths(_ count: Int, limit: Int) -> [Int] {
    var leaves = count == 1 ? [1] : [0]
    while leaves.count < count {
      let at = random.int(0...leaves.count - 1)
      guard leaves[at] < limit else { continue }
      leaves[at] += 1
      leaves.append(leaves[at])
    }
    return leaves
  }

  private static func codes(_ lengths: [Int]) -> [Int] {
    var codes = [Int](repeating: 0, count: lengths.count)
    var next = 0
    for length in 1...15 {
      next <<= 1
      for symbol in lengths.indices where lengths[symbol] == length {
        codes[symbol] = next
        next += 1
      }
    }
    return codes
  }

  private mutating func body(literals: [Int], distances: [Int]) {
    let literalCodes = Self.codes(literals)
    let distanceCodes = Self.codes(distances)
    let bytes = (0..<256).filter { literals[$0] > 0 }
    let matches = (257..<286).filter { literals[$0] > 0 }
    for _ in 0..<random.int(0...400) {
      let near = distances.indices.filter { distances[$0] > 0 && Self.distance($0).base <= output.count }
      if random.int(0...2) == 0, let symbol = matches.randomElement(using: &random),
        let distanceSymbol = near.randomElement(using: &random)
      {
        let length = Self.length(symbol)
        let distance = Self.distance(distanceSymbol)
        // Symbol 284 could spell 258 too, which is symbol 285's.
        let lengthExtra = random.int(0...(1 << length.bits) - (symbol == 284 ? 2 : 1))
        let distanceExtra = random.int(0...min((1 << distance.bits) - 1, output.count - distance.base))
        put(code: literalCodes[symbol], literals[symbol])
        put(lengthExtra, length.bits)
        put(code: distanceCodes[distanceSymbol], distances[distanceSymbol])
        put(distanceExtra, distance.bits)
        for _ in 0..<length.base + lengthExtra { output.append(output[output.count - distance.base - distanceExtra]) }
      } else if let byte = bytes.randomElement(using: &random) {
        put(code: literalCodes[byte], literals[byte])
        output.append(UInt8(byte))
      }
    }
    put(code: literalCodes[256], literals[256])
  }

  /// RFC 1951 §3.2.5 as a rule rather than a table.
  private static func length(_ symbol: Int) -> (base: Int, bits: Int) {
    if symbol == 285 { return (258, 0) }
    let index = symbol - 257
    guard index >= 8 else { return (3 + index, 0) }
    let bits = index / 4 - 1
    return (3 + (4 + index % 4) << bits, bits)
  }

  private static func distance(_ symbol: Int) -> (base: Int, bits: Int) {
    guard symbol >= 4 else { return (1 + symbol, 0) }
    let bits = symbol / 2 - 1
    return (1 + (2 + symbol % 2) << bits, bits)
  }
}
