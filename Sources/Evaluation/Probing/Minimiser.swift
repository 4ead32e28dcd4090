import Gemma

/// Finds the minimum of a logistic problem, which is convex and smooth.
struct Minimiser {
  /// Largest entry of the gradient at the minimum.
  let tolerance: Double
  let maximumIterations: Int
  /// Pairs that `limitedMemory` remembers.
  private static let memory = 10

  init(tolerance: Double, maximumIterations: Int) {
    (self.tolerance, self.maximumIterations) = (tolerance, maximumIterations)
  }

  private func isMinimum(_ gradient: [Double]) -> Bool { gradient.allSatisfy { abs($0) <= tolerance } }

  private typealias Value = (value: Double, gradient: [Double], curvature: [Double])

  /// The first of the steps 1, 1/2, 1/4, … that lowers the objective enough (Armijo); nil when rounding hides any gain.
  private func step(
    _ problem: LogisticProblem, _ point: [Double], _ now: Value, along direction: [Double], first: Double = 1
  ) -> (point: [Double], value: Value)? {
    let slope = dot(now.gradient, direction)
    guard slope < 0 else { return nil }
    var length = first
    for _ in 0..<50 {
      let new = zip(point, direction).map { $0 + length * $1 }
      let value = problem.evaluate(new)
      if value.value <= now.value + 1e-4 * length * slope { return (new, value) }
      // Near the minimum the values agree to the last bit while the gradient still falls.
      if abs(value.value - now.value) <= 1e-14 * abs(now.value), dot(value.gradient, value.gradient)
        < dot(now.gradient, now.gradient)
      {
        return (new, value)
      }
      length /= 2
    }
    return nil
  }

  /// Newton's method with step halving.
  func newton(
    _ problem: LogisticProblem, from start: [Double], check: CancellationCheck
  ) throws -> (point: [Double], found: Bool) {
    var point = start
    var now = problem.evaluate(point)
    for _ in 0..<maximumIterations where !isMinimum(now.gradient) {
      try check()
      let direction = solve(hessian(problem, now.curvature), now.gradient).map { -$0 }
      guard let next = step(problem, point, now, along: direction) else { break }
      (point, now) = next
    }
    return (point, isMinimum(now.gradient))
  }

  /// L-BFGS (Nocedal and Wright 2006, "Numerical Optimization", algorithm 7.4), ten pairs remembered.
  func limitedMemory(
    _ problem: LogisticProblem, from start: [Double], check: CancellationCheck
  ) throws -> (point: [Double], found: Bool) {
    var point = start
    var now = problem.evaluate(point)
    var pairs: [(s: [Double], y: [Double], rho: Double)] = []
    for _ in 0..<maximumIterations where !isMinimum(now.gradient) {
      try check()
      var direction = now.gradient
      var factors: [Double] = []
      for pair in pairs.reversed() {
        let factor = pair.rho * dot(pair.s, direction)
        factors.append(factor)
        add(-factor, pair.y, to: &direction)
      }
      if let last = pairs.last {
        let scale = 1 / (last.rho * dot(last.y, last.y))
        for i in direction.indices { direction[i] *= scale }
      }
      for (pair, factor) in zip(pairs, factors.reversed()) {
        add(factor - pair.rho * dot(pair.y, direction), pair.s, to: &direction)
      }
      for i in direction.indices { direction[i] = -direction[i] }
      // Without a pair the gradient's length says nothing of the distance.
      let first = pairs.isEmpty ? 1 / dot(direction, direction).squareRoot() : 1
      guard let next = step(problem, point, now, along: direction, first: first) else {
        // Pairs that mislead are forgotten once; steepest descent without gain is the end.
        if pairs.isEmpty { break }
        pairs = []
        continue
      }
      let s = zip(next.point, point).map { $0 - $1 }
      let y = zip(next.value.gradient, now.gradient).map { $0 - $1 }
      let product = dot(s, y)
      if product > 1e-12 * dot(y, y).squareRoot() * dot(s, s).squareRoot() {
        pairs.append((s, y, 1 / product))
        if pairs.count > Self.memory { pairs.removeFirst() }
      }
      (point, now) = next
    }
    return (point, isMinimum(now.gradient))
  }

  private func dot(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }

  private func add(_ factor: Double, _ x: [Double], to out: inout [Double]) {
    for i in out.indices { out[i] += factor * x[i] }
  }

  /// Second derivatives, the intercept's last.
  private func hessian(_ problem: LogisticProblem, _ curvature: [Double]) -> [[Double]] {
    let (rows, n) = (problem.rows, problem.rows.columns)
    var h = [[Double]](repeating: [Double](repeating: 0, count: n + 1), count: n + 1)
    for row in 0..<rows.count {
      let x = Array(rows.values[row * n..<(row + 1) * n]) + [1]
      for i in 0...n { for j in 0...i { h[i][j] += curvature[row] * x[i] * x[j] } }
    }
    for i in 0..<n { h[i][i] += problem.penalties[i] }
    // The intercept has no penalty: far out its curvature may round to nothing.
    h[n][n] += 1e-12 * problem.total
    return h
  }

  /// Solves h x = b by Cholesky's decomposition of the lower triangle.
  private func solve(_ h: [[Double]], _ b: [Double]) -> [Double] {
    var l = h
    let n = b.count
    for i in 0..<n {
      for j in 0...i {
        var sum = h[i][j]
        for k in 0..<j { sum -= l[i][k] * l[j][k] }
        l[i][j] = i == j ? max(sum, 1e-300).squareRoot() : sum / l[j][j]
      }
    }
    var x = b
    for i in 0..<n {
      for k in 0..<i { x[i] -= l[i][k] * x[k] }
      x[i] /= l[i][i]
    }
    for i in (0..<n).reversed() {
      for k in i + 1..<n { x[i] -= l[k][i] * x[k] }
      x[i] /= l[i][i]
    }
    return x
  }
}
