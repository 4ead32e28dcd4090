import Checkpoints
import Dictionaries
import Foundation

/// The nested parts that a dictionary was trained to work with alone, where the `training.json` beside its weights
/// tells.
enum Matryoshka {
  /// Ascending; the last is the width. Nil where nothing is known, or there is but one part.
  static func prefixes(of dictionary: SparseDictionary) -> [Int]? {
    var folder = dictionary.url
    var isFolder: ObjCBool = false
    if !FileManager.default.fileExists(atPath: folder.path, isDirectory: &isFolder) || !isFolder.boolValue {
      folder.deleteLastPathComponent()
    }
    let file = folder.appending(path: "training.json")
    guard let data = try? Data(contentsOf: file), data.count <= 1 << 28,
      case .object(let fields)? = try? JSONTree([UInt8](data)), case .object(let recipe)? = fields["recipe"],
      case .object(let matryoshka)? = recipe["matryoshka"], case .array(let numbers)? = matryoshka["prefixes"]
    else { return nil }
    var prefixes = numbers.compactMap(\.integer)
    if prefixes.last != dictionary.shape.width { prefixes.append(dictionary.shape.width) }
    let isAscending = zip(prefixes, prefixes.dropFirst()).allSatisfy { $0 < $1 }
    return isAscending && prefixes.count > 1 && prefixes[0] > 0 ? prefixes : nil
  }
}
