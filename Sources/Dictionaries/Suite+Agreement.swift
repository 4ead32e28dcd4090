import Foundation
import Sites

extension Suite.Entry {
  /// The sites read, ascending.
  var reads: [Site] { sites.filter { $0.kind == .mlpIn || !readsMLPInputs }.sorted() }

  /// The sites written, ascending.
  var writes: [Site] { sites.filter { $0.kind != .mlpIn || !readsMLPInputs }.sorted() }

  private var readsMLPInputs: Bool { kind == .transcoder || kind == .clt }

  func contradiction(path: String, _ stated: String, _ found: String) -> DictionaryError {
    .contradiction(path: path, configuration: "\(stated) (in suite.json)", files: found)
  }
}

extension SparseDictionary {
  /// Checks what a suite says of this dictionary.
  /// - Throws: `DictionaryError.contradiction`.
  func checkAgreement(_ entry: Suite.Entry) throws {
    func require(_ agrees: Bool, _ stated: String, _ found: String) throws {
      guard agrees else { throw entry.contradiction(path: url.path, stated, found) }
    }
    try require(entry.width == shape.totalWidth, "width \(entry.width)", "\(shape.totalWidth) features")
    let (affine, plain) = ("an affine skip connection", "no affine skip connection")
    try require(
      entry.isAffine == shape.isAffine, entry.isAffine ? affine : plain, shape.isAffine ? affine : plain)
    // Sites are a set: a suite may list the layers of several reads and writes in any order.
    let sites = Set(shape.reads + shape.writes)
    try require(
      Set(entry.sites) == sites, "sites \(Self.list(entry.sites))", "a dictionary of \(Self.list(sites.sorted()))")
  }

  private static func list(_ sites: [Site]) -> String {
    sites.count <= 4 ? sites.map(\.description).joined(separator: ", ") : "\(sites[0]) … \(sites[sites.count - 1])"
  }
}
