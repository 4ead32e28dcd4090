public import Dictionaries
public import Sites

/// A site that several dictionaries of a set write. Spliced together, each puts its own output in the place of what the
/// ones before it made there, so what the last one makes is what the model goes on with.
public struct SharedWrite: Equatable, Sendable {
  public let site: Site
  /// Names of the dictionaries that write it, in the order of the set.
  public let dictionaries: [String]

  /// All such sites of a set, in the order of the model.
  public static func all(_ dictionaries: [SparseDictionary]) -> [SharedWrite] {
    var names: [Site: [String]] = [:]
    for dictionary in dictionaries {
      for site in dictionary.shape.writes { names[site, default: []].append(dictionary.name) }
    }
    return names.filter { $0.value.count > 1 }.sorted { $0.key < $1.key }.map {
      SharedWrite(site: $0.key, dictionaries: $0.value)
    }
  }
}
