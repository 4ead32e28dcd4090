import Checkpoints
public import Foundation

extension Recipe {
  /// The recipe, defaults included, by which a finished dictionary was made: the one in its `training.json`.
  /// - Throws: `RecipeError`.
  public init(finished url: URL) throws {
    guard let data = try? Data(contentsOf: url), case .object(let fields)? = try? JSONTree(Array(data)),
      case .object(let recipe)? = fields["recipe"]
    else { throw RecipeError.file(path: url.path, reason: "holds no recipe that could be compared") }
    try self.init(RecipeObject(file: url.path, place: "recipe.", fields: recipe))
  }

  /// The first key by name in which `other` differs, such as `adam.beta1`, with both values; defaults count.
  /// - Throws: what encoding throws.
  public func difference(from other: Recipe) throws -> (key: String, own: String, other: String)? {
    let (own, others) = (try values, try other.values)
    for key in Set(own.keys).union(others.keys).sorted() where own[key] != others[key] {
      return (key, own[key] ?? "none", others[key] ?? "none")
    }
    return nil
  }

  /// All values as text by their keys, those of objects within as `object.key`.
  private var values: [String: String] {
    get throws {
      var values: [String: String] = [:]
      func add(_ tree: JSONTree, _ key: String) {
        guard case .object(let fields) = tree else {
          values[key] = Self.text(tree)
          return
        }
        for (name, value) in fields { add(value, key.isEmpty ? name : key + "." + name) }
      }
      add(try JSONTree(Array(JSONEncoder().encode(self))), "")
      return values
    }
  }

  private static func text(_ tree: JSONTree) -> String {
    switch tree {
    case .string(let text): text
    case .array(let trees): trees.map(text).joined(separator: ", ")
    default: tree.name
    }
  }
}
