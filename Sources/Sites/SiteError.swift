/// A site that does not exist, or a name that is none.
public enum SiteError: Error, Equatable, Sendable, CustomStringConvertible {
  /// No site prints as `name`.
  case unknown(name: String, nearest: Site)
  /// The model has no such layer.
  case layer(site: Site, layers: Int)
  /// A Hugging Face hook point that names no site this program knows, or names its layers badly.
  case hookPoint(name: String, reason: String)
  /// A TransformerLens hook that is none of the sites.
  case transformerLens(name: String, reason: String)

  public var description: String {
    switch self {
    case .unknown(let name, let nearest): "no site named '\(clipped(name))'; nearest: \(nearest)"
    case .layer(let site, let layers):
      layers > 0 ? "site \(site): the model has layers 0 to \(layers - 1)" : "site \(site): the model has no layers"
    case .hookPoint(let name, let reason): "hook point '\(clipped(name))': \(clipped(reason))"
    case .transformerLens(let name, let reason): "TransformerLens hook '\(clipped(name))': \(clipped(reason))"
    }
  }
}

/// A name may come from a file and be of any length; a message shows its beginning.
private func clipped(_ text: String) -> String {
  text.utf8.count <= 200 ? text : String(decoding: text.utf8.prefix(150), as: UTF8.self) + "…"
}
