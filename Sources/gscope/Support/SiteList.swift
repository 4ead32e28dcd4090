import ArgumentParser
import Sites

/// `--site`: a site as it prints, several with commas, or a kind at every layer: `resid_post.all`.
enum SiteList {
  /// The sites in model order, without repeats.
  /// - Throws: `ValidationError` for a name that is none, `SiteError` for a layer that the model lacks.
  static func sites(_ texts: [String], shape: ModelShape?) throws -> [Site] {
    var sites: Set<Site> = []
    for name in texts.flatMap({ $0.split(separator: ",").map(String.init) }) {
      if name.hasSuffix(".all"), let kind = Site.Kind(rawValue: String(name.dropLast(4))), kind != .embed {
        sites.formUnion((0..<(shape?.layers ?? 1)).map { Site(kind, layer: $0) })
        continue
      }
      let site = try site(name, flag: "--site")
      try shape?.validate(site)
      sites.insert(site)
    }
    guard !sites.isEmpty else { throw ValidationError("Missing --site, such as --site resid_post.9.") }
    return sites.sorted()
  }

  /// - Throws: `ValidationError` naming `flag` and the nearest site.
  static func site(_ name: String, flag: String) throws -> Site {
    do {
      return try Site(name)
    } catch let error as SiteError {
      throw ValidationError("\(flag): \(error).")
    }
  }
}
