import Foundation
import Sites
import Training

/// Reads any text as a recipe and as a suite's recipe. What is understood must read back from what is saved with a
/// result, and have schedules; the one acceptable complaint is a `RecipeError` of bounded length.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = Array(UnsafeBufferPointer(start: data, count: count))
  expectErrors { try check(Recipe(json: bytes, file: "recipe.json")) }
  expectErrors {
    let suite = try SuiteRecipe(json: bytes, file: "/nonexistent/suite.json", layers: 5)
    for recipe in suite.recipes {
      guard let name = recipe.name, !name.split(separator: "/").contains("..") else { fatalError("leads out") }
      try check(recipe)
    }
  }
  return 0
}

private func check(_ recipe: Recipe) throws {
  let saved = try JSONEncoder().encode(recipe)
  let again: Recipe
  do {
    again = try Recipe(json: Array(saved), file: "saved")
  } catch {
    fatalError("\(error) in \(String(decoding: saved, as: UTF8.self))")
  }
  guard again.steps == recipe.steps, again.reads == recipe.reads, again.writes == recipe.writes,
    again.matryoshka == recipe.matryoshka, again.learningRates == recipe.learningRates
  else { fatalError("reads back otherwise: \(String(decoding: saved, as: UTF8.self))") }
  for step in [0, recipe.steps / 2, recipe.steps - 1] {
    let values = [recipe.learningRates(step), recipe.sparsities(step), recipe.targetL0s(step)]
    guard values.allSatisfy(\.isFinite) else { fatalError("\(values) at step \(step)") }
  }
}

private func expectErrors(_ body: () throws -> Void) {
  do {
    try body()
  } catch let error as RecipeError {
    guard "\(error)".utf8.count < 4096 else { fatalError("a message of \("\(error)".utf8.count) bytes") }
  } catch {
    fatalError("unexpected \(type(of: error)): \(error)")
  }
}
