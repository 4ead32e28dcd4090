import Checkpoints
public import Foundation

/// A list of dictionaries that are trained together from one pass of the model.
///
/// ```json
/// {"schema":1,"name":"gemma-3-270m","base":"short-run.json","dictionaries":[
///   {"name":"resid_post/layer_{layer}_width_2k_l0_60","layers":[5,9],"reads":"resid_post.{layer}","width":2048},
///   {"name":"crosscoder/layers_5_9","kind":"crosscoder","reads":["resid_post.5","resid_post.9"],"width":512}]}
/// ```
///
/// `base` is a recipe (an object, or the name of a file beside this one) whose keys hold for every dictionary; those of
/// `common` come in their place, and an entry's own in the place of both. An entry with `layers` (a list, or "all") stands for one dictionary a layer, `{layer}` in its texts
/// replaced. What decides which activations are streamed (`context`, `window`, `norm_filter`) and the
/// `seed` is the base's alone.
public struct SuiteRecipe: Equatable, Sendable {
  public let name: String
  /// Each with its name, which is also its folder below the suite's.
  public let recipes: [Recipe]

  /// Reads a suite's recipe for a model of `layers` layers.
  /// - Throws: `RecipeError`.
  public init(contentsOf url: URL, layers: Int) throws {
    let object = try RecipeObject(contentsOf: url)
    try self.init(object, folder: url.deletingLastPathComponent(), layers: layers)
  }

  public init(json: [UInt8], file: String, layers: Int) throws {
    let folder = URL(filePath: file).deletingLastPathComponent()
    try self.init(RecipeObject(json: json, file: file), folder: folder, layers: layers)
  }

  private init(_ object: RecipeObject, folder: URL, layers: Int) throws {
    try object.only(["schema", "name", "base", "common", "dictionaries"])
    guard try object.integer("schema", in: 1...1) != nil else {
      throw object.failure("schema", "is missing; expected 1")
    }
    name = try object.string("name") ?? "suite"
    let base = try Self.base(object, folder: folder)
    guard let list = try object.list("dictionaries"), !list.isEmpty else {
      throw object.failure("dictionaries", "is missing or empty; expected a list of recipes")
    }
    recipes = try list.enumerated().flatMap { index, entry in
      try Self.entries(object, entry, index: index, layers: layers).map { fields, place in
        let merged = RecipeObject(file: object.file, place: place + ".", fields: base).merged(with: fields)
        let recipe = try Recipe(merged)
        guard recipe.endToEnd == nil else {
          throw merged.failure("end_to_end", "goes with one dictionary (gscope train); a suite shares one pass")
        }
        guard let name = recipe.name else { throw merged.failure("name", "is missing") }
        guard Self.isPath(name) else {
          throw merged.failure("name", "is '\(name)'; expected a path below the suite's folder")
        }
        return recipe
      }
    }
    let names = recipes.compactMap(\.name)
    for (a, b) in zip(names.sorted(), names.sorted().dropFirst()) where a == b || b.hasPrefix(a + "/") {
      throw object.failure("dictionaries", "'\(b)' stands twice, or within '\(a)'")
    }
  }

  private static func base(_ object: RecipeObject, folder: URL) throws -> [String: JSONTree] {
    var fields: [String: JSONTree]
    switch object.value("base") {
    case nil: fields = [:]
    case .object(let given)?: fields = given
    case .string(let file)?: fields = try RecipeObject(contentsOf: folder.appending(path: file)).fields
    case let other?: throw object.failure("base", "is \(other.name); expected a recipe or the name of its file")
    }
    fields["schema"] = .number(1)
    switch object.value("common") {
    case nil: return fields
    case .object(let common)?:
      return RecipeObject(file: object.file, place: "common.", fields: fields).merged(with: common).fields
    case let other?: throw object.failure("common", "is \(other.name); expected an object")
    }
  }

  /// An entry's own fields, once for each of its layers.
  private static func entries(
    _ object: RecipeObject, _ entry: JSONTree, index: Int, layers: Int
  ) throws -> [(fields: [String: JSONTree], place: String)] {
    let place = "dictionaries[\(index)]"
    guard case .object(var fields) = entry else { throw object.failure(place, "is \(entry.name); expected an object") }
    let own = RecipeObject(file: object.file, place: place + ".", fields: fields)
    for key in ["schema", "context", "window", "norm_filter", "seed"] where fields[key] != nil {
      throw own.failure(key, "is the same for all dictionaries of a suite; it belongs into 'base' or 'common'")
    }
    let wanted: [Int]
    switch own.value("layers") {
    case nil: return [(fields, place)]
    case .string("all")?: wanted = Array(0..<layers)
    default: wanted = try own.integers("layers", in: 0...max(layers - 1, 0)) ?? []
    }
    fields["layers"] = nil
    return wanted.map { layer in
      (fields.mapValues { replaced($0, layer: layer) }, "\(place) (layer \(layer))")
    }
  }

  private static func replaced(_ value: JSONTree, layer: Int) -> JSONTree {
    switch value {
    case .string(let text): .string(text.replacing("{layer}", with: "\(layer)"))
    case .array(let values): .array(values.map { replaced($0, layer: layer) })
    default: value
    }
  }

  private static func isPath(_ name: String) -> Bool {
    let parts = name.split(separator: "/", omittingEmptySubsequences: false)
    return !name.contains("\0") && !parts.contains("") && !parts.contains("..") && !parts.contains(".")
  }
}
