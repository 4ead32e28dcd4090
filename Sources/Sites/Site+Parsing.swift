extension Site {
  /// Reads a site as it prints: `resid_post.9`, `embed`.
  /// - Throws: `SiteError.unknown` naming the nearest valid site.
  public init(_ name: String) throws {
    guard let site = Site(printed: name) else { throw SiteError.unknown(name: name, nearest: Site.nearest(to: name)) }
    self = site
  }

  private init?(printed name: String) {
    if name == Kind.embed.rawValue {
      self = .embed
      return
    }
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 2, let kind = Kind(rawValue: String(parts[0])), kind != .embed,
      let layer = layerNumber(parts[1])
    else { return nil }
    self.init(kind, layer: layer)
  }

  /// The valid name that looks most like `name`: its first number as the layer, the kind at the least edit distance.
  private static func nearest(to name: String) -> Site {
    // A longer text is no misspelling of a site; its start is enough for a hint and bounds the work.
    let text = String(name.lowercased().prefix(48))
    let digits = text.drop { !$0.isASCIIDigit }.prefix { $0.isASCIIDigit }
    let layer = Int(digits)
    let letters = String(text.filter { !$0.isASCIIDigit && $0 != "." })
    let kind = Kind.allCases.min { editDistance(letters, $0.rawValue) < editDistance(letters, $1.rawValue) }
    return Site(kind ?? .residPost, layer: layer ?? 0)
  }
}

extension Character {
  fileprivate var isASCIIDigit: Bool { ("0"..."9").contains(self) }
}

/// A layer written in plain decimal digits without leading zeros, so that every layer has one spelling.
func layerNumber(_ text: Substring) -> Int? {
  guard let first = text.first, text.allSatisfy(\.isASCIIDigit), first != "0" || text.count == 1 else { return nil }
  return Int(text)
}

/// Levenshtein distance: the fewest insertions, deletions and replacements of characters.
func editDistance(_ a: String, _ b: String) -> Int {
  let b = Array(b)
  var row = Array(0...b.count)
  for (i, x) in a.enumerated() {
    var diagonal = row[0]
    row[0] = i + 1
    for j in b.indices {
      let replaced = diagonal + (x == b[j] ? 0 : 1)
      diagonal = row[j + 1]
      row[j + 1] = min(replaced, row[j] + 1, row[j + 1] + 1)
    }
  }
  return row[b.count]
}
