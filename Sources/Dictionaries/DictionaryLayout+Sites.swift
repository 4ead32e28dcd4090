import Foundation
import Sites

extension DictionaryLayout {
  /// Kind and sites, from the caller's site, the configuration, the path, or what a suite says, in that order.
  /// - Throws: `DictionaryError.unknownSite`, `.site`, `.contradiction`, `.configuration`.
  func resolve(site: Site?, entry: Suite.Entry?) throws -> (kind: DictionaryKind, reads: [Site], writes: [Site]) {
    let kind = try resolveKind(site: site, entry: entry)
    // Before anything else, since sites of another kind would fail in ways that do not tell why.
    if let entry, entry.kind != kind {
      throw entry.contradiction(path: url.path, "kind \(entry.kind.rawValue)", kind.rawValue)
    }
    let usesLayerFiles = files.contains { $0.lastPathComponent.hasPrefix("params_layer_") }
    guard kind.isMultiLayer == usesLayerFiles else {
      throw DictionaryError.contradiction(
        path: url.path, configuration: "type '\(kind.rawValue)'",
        files: usesLayerFiles ? "params_layer files" : "one file for one layer")
    }
    let (reads, writes) = try site.map { try overriding($0, kind) } ?? stated(kind, entry)
    try check(kind, reads, writes)
    return (kind, reads, writes)
  }

  private func resolveKind(site: Site?, entry: Suite.Entry?) throws -> DictionaryKind {
    if let kind = configuration.kind ?? hints.kind { return kind }
    if let site { return site.kind == .mlpIn ? .transcoder : .sae }
    guard let reads = configuration.reads else {
      guard let entry else { throw DictionaryError.unknownSite(path: url.path) }
      return entry.kind
    }
    let sameSite = configuration.writes.map { $0 == reads } ?? (reads.kind != .mlpIn)
    switch reads.layers {
    case .one: return sameSite ? .sae : .transcoder
    case .list, .all: return sameSite ? .crosscoder : .clt
    }
  }

  private func overriding(_ site: Site, _ kind: DictionaryKind) throws -> ([Site], [Site]) {
    switch (kind, site.kind) {
    case (.crosscoder, _), (.clt, _):
      throw DictionaryError.site(
        path: url.path, reason: "a \(kind.rawValue) reads \(files.count) layers and cannot be moved to \(site)")
    case (.sae, .mlpIn):
      throw DictionaryError.site(
        path: url.path, reason: "is an sae and cannot stand at \(site), which only transcoders read")
    case (.sae, _): return ([site], [site])
    case (.transcoder, .mlpIn), (.transcoder, .mlpOut): return ([.mlpIn(site.layer)], [.mlpOut(site.layer)])
    case (.transcoder, _):
      throw DictionaryError.site(path: url.path, reason: "is a transcoder: name mlp_in.N or mlp_out.N, not \(site)")
    }
  }

  private func stated(_ kind: DictionaryKind, _ entry: Suite.Entry?) throws -> ([Site], [Site]) {
    guard let reads = configuration.reads ?? hints.reads else {
      guard let entry else { throw DictionaryError.unknownSite(path: url.path) }
      return (entry.reads, entry.writes)
    }
    let list = reads.sites(layerCount: files.count)
    if let writes = configuration.writes { return (list, writes.sites(layerCount: files.count)) }
    if configuration.reads == nil, let writes = hints.writes { return (list, writes.sites(layerCount: files.count)) }
    // Only the input is stated: the output follows from the kind.
    let readsMLP = kind == .transcoder || kind == .clt
    return (list, readsMLP ? list.map { .mlpOut($0.layer) } : list)
  }

  private func check(_ kind: DictionaryKind, _ reads: [Site], _ writes: [Site]) throws {
    func contradiction(_ configuration: String, _ found: String) -> DictionaryError {
      .contradiction(path: url.path, configuration: configuration, files: found)
    }
    guard reads.count == files.count else {
      let missing = reads.count > files.count ? " (params_layer_\(files.count).safetensors is missing)" : ""
      throw contradiction("\(reads.count) layers read", "\(files.count) layers\(missing)")
    }
    guard writes.count == reads.count else {
      throw configurationError("hf_hook_point_out", "names \(writes.count) layers, hf_hook_point_in \(reads.count)")
    }
    switch kind {
    case .sae, .crosscoder:
      guard reads == writes else {
        throw configurationError("hf_hook_point_out", "must equal hf_hook_point_in for type '\(kind.rawValue)'")
      }
    case .transcoder, .clt:
      guard reads != writes else {
        throw configurationError("hf_hook_point_out", "must differ from hf_hook_point_in for type '\(kind.rawValue)'")
      }
    }
  }

  private func configurationError(_ key: String, _ reason: String) -> DictionaryError {
    .configuration(path: url.path, key: key, reason: reason)
  }
}
