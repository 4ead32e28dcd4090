import Dictionaries
import GRDB
import Tensors

extension RunningBuild {
  /// Writes nearest features by decoder cosine, and in other dictionaries by the cosine of residual directions; and the
  /// directions themselves.
  func writeNeighbours(_ report: (BuildProgress) throws -> Void) throws {
    let neighbours = FeatureNeighbours(
      dictionaries: builder.dictionaries, firstFeatures: builder.firstFeatures, model: builder.model,
      check: builder.check)
    // Filled when a step is found that is not done.
    var directions: [Tensor] = []
    for index in builder.dictionaries.indices {
      let first = builder.firstFeatures[index]
      try report(BuildProgress(stage: .neighbours, done: first, total: builder.plan.features))
      if try done("decoder \(index)") == 0 {
        let nearest = try neighbours.nearest(index)
        try commit("decoder \(index)", 1) { db in
          for (feature, list) in nearest.enumerated() {
            try FeatureNeighbours.write(list, of: first + feature, .decoder, db)
          }
        }
      }
      guard try done("elsewhere \(index)") == 0 else { continue }
      if directions.isEmpty { directions = try neighbours.residualDirections() }
      let found = try neighbours.elsewhere(index, directions)
      try commit("elsewhere \(index)", 1) { db in
        for (feature, list) in found.enumerated() {
          try FeatureNeighbours.write(list, of: first + feature, .elsewhere, db)
        }
        try neighbours.writeDirections(index, directions, db)
      }
    }
  }
}
