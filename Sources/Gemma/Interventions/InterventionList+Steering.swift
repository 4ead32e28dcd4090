extension InterventionList {
  /// Steering as written on the command line: `NAME#FEATURE=STRENGTH`, or `NAME#LAYER/FEATURE=STRENGTH` for
  /// dictionaries that read several layers. Each adds `STRENGTH` × the feature's decoder row at every position but
  /// special tokens.
  ///
  /// `STRENGTH` is a number of activation units (`=40`), of the feature's maximum with an `x` (`=2x`), or of the row's
  /// norm with an `r` (`=0.25r`). NAME may hold `#` and `=`: the last `#` counts.
  /// - Throws: `GemmaError.input` naming the text at fault.
  public init(steering texts: [String]) throws { self.init(try texts.map(Self.steering)) }

  private static func steering(_ text: String) throws -> Intervention {
    func failure(_ problem: String) -> GemmaError {
      .input("steering '\(text)': \(problem); expected NAME#FEATURE=STRENGTH or NAME#LAYER/FEATURE=STRENGTH")
    }
    guard let hash = text.lastIndex(of: "#") else { throw failure("there is no '#'") }
    let name = String(text[..<hash])
    guard !name.isEmpty else { throw failure("the dictionary's name is missing") }
    let rest = text[text.index(after: hash)...].split(separator: "=", omittingEmptySubsequences: false)
    guard rest.count == 2 else { throw failure("there is no single '=' after the feature") }

    let place = rest[0].split(separator: "/", omittingEmptySubsequences: false)
    guard place.count <= 2, let index = number(place[place.count - 1]) else {
      throw failure("'\(rest[0])' is no feature")
    }
    let layer = place.count == 2 ? number(place[0]) : nil
    guard place.count == 1 || layer != nil else { throw failure("'\(place[0])' is no layer") }

    let units: [Character: Intervention.Unit] = ["x": .maxActivation, "r": .residualNorm]
    let unit = rest[1].last.flatMap { units[$0] }
    guard let strength = Float(unit == nil ? rest[1] : rest[1].dropLast()), strength.isFinite else {
      throw failure("'\(rest[1])' is no strength (a number, or one followed by 'x' or 'r')")
    }
    return Intervention(
      .add, .feature(.init(dictionary: name, layer: layer, index: index)), value: strength, unit: unit ?? .raw)
  }

  /// A whole number in plain digits: no sign.
  private static func number(_ digits: Substring) -> Int? {
    digits.utf8.allSatisfy { UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 } ? Int(digits) : nil
  }

  /// These, then those of `other`.
  public func appending(_ other: InterventionList) -> InterventionList {
    InterventionList(interventions + other.interventions)
  }
}
