import Foundation

/// Student's t distribution.
public enum StudentT {
  /// The number below which t lies with probability 0.975.
  /// - Parameter degrees: of freedom, from 1.
  public static func quantile975(degrees: Int) -> Double {
    let degrees = Double(max(degrees, 1))
    // 12.71 is the largest, at one degree.
    var (low, high) = (1.9, 13.0)
    while high - low > 1e-12 * high {
      let middle = (low + high) / 2
      if tail(middle, degrees: degrees) > 0.025 { low = middle } else { high = middle }
      if middle == low, middle == high { break }
    }
    return (low + high) / 2
  }

  /// P(T > t) for t ≥ 0: half the regularised incomplete beta function I(ν/(ν + t²); ν/2, 1/2) (Abramowitz & Stegun
  /// 1964, 26.7.1 and 26.5.27).
  static func tail(_ t: Double, degrees: Double) -> Double {
    incompleteBeta(degrees / (degrees + t * t), a: degrees / 2, b: 0.5) / 2
  }

  /// By the continued fraction of Abramowitz & Stegun 26.5.8, which converges fast for x below the mean.
  private static func incompleteBeta(_ x: Double, a: Double, b: Double) -> Double {
    guard x > 0 else { return 0 }
    guard x < 1 else { return 1 }
    if x > (a + 1) / (a + b + 2) { return 1 - incompleteBeta(1 - x, a: b, b: a) }
    let front = exp(a * log(x) + b * log1p(-x) - logBeta(a, b)) / a
    return front / fraction(x, a, b)
  }

  /// The fraction 1 + d₁/(1 + d₂/(1 + …)), from its front by Lentz's method (Thompson & Barnett 1986).
  private static func fraction(_ x: Double, _ a: Double, _ b: Double) -> Double {
    let tiny = 1e-300
    var (value, c, d) = (1.0, 1.0, 0.0)
    for k in 1...500 {
      let m = Double(k / 2)
      let term =
        k % 2 == 0
        ? m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)) : -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
      d = 1 + term * d
      c = 1 + term / c
      if abs(d) < tiny { d = tiny }
      if abs(c) < tiny { c = tiny }
      d = 1 / d
      value *= c * d
      if abs(c * d - 1) < 1e-15 { break }
    }
    return value
  }

  private static func logBeta(_ a: Double, _ b: Double) -> Double { logGamma(a) + logGamma(b) - logGamma(a + b) }

  /// Lanczos' approximation with g = 7 (Press et al. 2007, section 6.1), for x ≥ 0.5.
  private static func logGamma(_ x: Double) -> Double {
    let weights = [
      0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
      12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
    ]
    let y = x - 1
    let sum = weights.dropFirst().enumerated().reduce(weights[0]) { $0 + $1.element / (y + Double($1.offset + 1)) }
    let base = y + 7.5
    return 0.5 * log(2 * Double.pi) + (y + 0.5) * log(base) - base + log(sum)
  }
}
