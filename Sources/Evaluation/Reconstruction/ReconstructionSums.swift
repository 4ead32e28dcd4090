/// What is summed over tokens at one written site to know how well it is reconstructed: x is what is there, x̂ the
/// reconstruction. Everything is in fp64 and adds up over tokens.
struct ReconstructionSums: Sendable {
  private(set) var tokens = 0
  /// Σ‖x − x̂‖².
  private(set) var errors = 0.0
  /// Σ‖x̂‖² and Σ x·x̂.
  private(set) var outputs = 0.0, products = 0.0
  /// Σ cos(x, x̂) and Σ‖x̂‖ / ‖x‖ over the `directed` tokens where neither is 0.
  private(set) var cosines = 0.0, ratios = 0.0
  private(set) var directed = 0
  /// Σ(x − o) and Σ‖x − o‖² about an origin o that all sums of a site share: Σx² − (Σx)²/n would cancel.
  private(set) var shifts: [Double]
  private(set) var spread = 0.0

  init(width: Int) { shifts = [Double](repeating: 0, count: width) }

  /// Adds row `row` of x and x̂, both [tokens, width].
  mutating func add(_ x: [Float], _ reconstruction: [Float], origin: [Float], row: Int) {
    let start = row * shifts.count
    var (error, square, output, product, distance) = (0.0, 0.0, 0.0, 0.0, 0.0)
    for i in shifts.indices {
      let (a, b) = (Double(x[start + i]), Double(reconstruction[start + i]))
      let shift = a - Double(origin[i])
      error += (a - b) * (a - b)
      square += a * a
      output += b * b
      product += a * b
      distance += shift * shift
      shifts[i] += shift
    }
    tokens += 1
    errors += error
    outputs += output
    products += product
    spread += distance
    guard square > 0, output > 0 else { return }
    directed += 1
    cosines += product / (square * output).squareRoot()
    ratios += (output / square).squareRoot()
  }

  mutating func add(_ other: ReconstructionSums) {
    tokens += other.tokens
    errors += other.errors
    outputs += other.outputs
    products += other.products
    cosines += other.cosines
    ratios += other.ratios
    directed += other.directed
    for i in shifts.indices { shifts[i] += other.shifts[i] }
    spread += other.spread
  }

  /// The mean's distance from the origin.
  var meanShift: [Double] { shifts.map { $0 / Double(max(tokens, 1)) } }

  /// Σ‖x − m‖² for a mean m given by its distance from the origin.
  func variance(about mean: [Double]) -> Double {
    var (along, square) = (0.0, 0.0)
    for (shift, m) in zip(shifts, mean) {
      along += shift * m
      square += m * m
    }
    return max(0, spread - 2 * along + Double(tokens) * square)
  }
}
