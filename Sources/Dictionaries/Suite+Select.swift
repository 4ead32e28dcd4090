import Foundation
public import Sites

extension Suite {
  /// What a dictionary of a suite must be; nil asks for nothing.
  public struct Selection: Sendable, Equatable, CustomStringConvertible {
    /// The entry's name, or its last path component.
    public var name: String?
    /// Which of the four kinds.
    public var kind: DictionaryKind?
    /// One of the sites it reads or writes.
    public var site: Site?
    /// Features in all (`16384`), or the label in its name (`16k`).
    public var width: String?
    /// The target (`20`), or the label in its name (`small`).
    public var l0: String?
    /// Whether it has an affine skip connection.
    public var isAffine: Bool?

    /// What is wanted, all of it.
    public init(
      name: String? = nil, kind: DictionaryKind? = nil, site: Site? = nil, width: String? = nil, l0: String? = nil,
      isAffine: Bool? = nil
    ) {
      self.name = name
      self.kind = kind
      self.site = site
      self.width = width
      self.l0 = l0
      self.isAffine = isAffine
    }

    public var description: String {
      let parts = [
        name.map { "name '\($0)'" }, kind.map { "kind \($0.rawValue)" }, site.map { "site \($0)" },
        width.map { "width \($0)" }, l0.map { "l0 \($0)" }, isAffine.map { $0 ? "affine" : "not affine" },
      ].compactMap { $0 }
      return parts.isEmpty ? "any dictionary" : parts.joined(separator: ", ")
    }
  }

  /// All entries that answer to `selection`.
  public func entries(matching selection: Selection) -> [Entry] { entries.filter(selection.matches) }

  /// The one entry that answers to `selection`. A full name wins over the same last component elsewhere.
  /// - Throws: `DictionaryError.selection` listing the candidates when there is none or more than one.
  public func entry(_ selection: Selection) throws -> Entry {
    let found = entries(matching: selection)
    let exact = found.filter { $0.name == selection.name }
    if exact.count == 1 { return exact[0] }
    if found.count == 1 { return found[0] }
    throw DictionaryError.selection(
      suite: folder.path, wanted: selection.description,
      candidates: (found.isEmpty ? entries : found).map(\.description), matches: found.count)
  }
}

extension Suite.Selection {
  func matches(_ entry: Suite.Entry) -> Bool {
    let hints = DictionaryPathHints(components: entry.path.split(separator: "/").map(String.init))
    if let name, entry.name != name, entry.name.split(separator: "/").last.map(String.init) != name { return false }
    if let kind, entry.kind != kind { return false }
    if let site, !entry.sites.contains(site) { return false }
    if let width, Int(width) != entry.width, width != hints.widthLabel { return false }
    if let l0, l0 != hints.l0Label, entry.l0 == nil || Double(l0) != entry.l0 { return false }
    if let isAffine, entry.isAffine != isAffine { return false }
    return true
  }
}
