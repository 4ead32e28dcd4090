/// Round numbers along an axis.
struct Ticks: Equatable {
  let values: [Double]
  /// Whole decimals to print.
  let decimals: Int

  /// About `count` multiples of 1, 2 or 5 times a power of ten that lie in `low ... high`.
  init(_ low: Double, _ high: Double, count: Int) {
    let span = max(high - low, .leastNormalMagnitude)
    let rough = span / Double(max(count, 1))
    let power = Self.power(of: rough)
    let step = [1, 2, 5, 10].map { $0 * power }.first { $0 >= rough * 0.999 } ?? 10 * power
    let first = (low / step - 1e-9).rounded(.up)
    let last = (high / step + 1e-9).rounded(.down)
    values = first <= last ? stride(from: first, through: last, by: 1).map { $0 * step } : []
    decimals = max(0, min(9, -Self.exponent(of: step)))
  }

  private static func exponent(of number: Double) -> Int {
    var exponent = 0
    var rest = number
    while rest >= 10, exponent < 300 {
      rest /= 10
      exponent += 1
    }
    while rest < 0.9999999, exponent > -300 {
      rest *= 10
      exponent -= 1
    }
    return exponent
  }

  private static func power(of number: Double) -> Double {
    let exponent = exponent(of: number)
    return (0..<abs(exponent)).reduce(1.0) { power, _ in exponent > 0 ? power * 10 : power / 10 }
  }
}
