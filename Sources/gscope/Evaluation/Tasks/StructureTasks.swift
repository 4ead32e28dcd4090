import Dictionaries
import Evaluation
import Gemma
import Sites

/// What a dictionary's features are among each other, and among those of others at the same site.
struct StructureTasks {
  let run: TaskRun

  var dictionaries: [SparseDictionary] { run.dictionaries }

  /// Pairs of dictionaries that read and write the same sites, by place.
  func pairs(_ fit: (SparseDictionary, SparseDictionary) -> Bool) -> [(Int, Int)] {
    dictionaries.indices.flatMap { i in
      dictionaries.indices.compactMap { j in
        let (a, b) = (dictionaries[i], dictionaries[j])
        let alike = a.shape.reads == b.shape.reads && a.shape.writes == b.shape.writes
        return i != j && alike && fit(a, b) ? (i, j) : nil
      }
    }
  }

  /// Which read, where there are several.
  func place(_ dictionary: SparseDictionary, _ read: Int) -> String {
    dictionary.shape.isMultiLayer ? " at \(dictionary.shape.reads[read])" : ""
  }
}
