import Dictionaries
import Foundation
import GRDB
import Gemma
import Tensors

extension RunningBuild {
  /// Features per row of the table `direction`.
  static let directionBlock = 256

  /// Writes nearest features by decoder cosine, and in other dictionaries by the cosine of residual directions; and the
  /// directions themselves.
  func writeNeighbours(_ report: (BuildProgress) throws -> Void) throws {
    let backend = builder.model.backend
    // Filled when a step is found that is not done.
    var directions: [Tensor] = []
    for (index, dictionary) in builder.dictionaries.enumerated() {
      try report(
        BuildProgress(stage: .neighbours, done: builder.firstFeatures[index], total: builder.plan.features))
      let features = FeatureDirections(dictionary: dictionary, model: builder.model)
      if try done("decoder \(index)") == 0 {
        let rows = try unitRows(dictionary, features.decoderRows)
        let nearest = try NearestFeatures.find(
          rows, in: rows, limit: NearestFeatures.limit, own: true, backend: backend, check: builder.check)
        try commit("decoder \(index)", 1) { db in
          for (feature, list) in nearest.enumerated() {
            try write(list.map { ($0.feature, Double($0.value), nil) }, of: feature, index, .decoder, db)
          }
        }
      }
      guard try done("elsewhere \(index)") == 0 else { continue }
      if directions.isEmpty {
        directions = try builder.dictionaries.map {
          try unitRows($0, FeatureDirections(dictionary: $0, model: builder.model).residualDirections)
        }
      }
      let found = try elsewhere(index, directions)
      try commit("elsewhere \(index)", 1) { db in
        for (feature, list) in found.enumerated() {
          try write(ids: list, of: builder.firstFeatures[index] + feature, .elsewhere, db)
        }
        try write(directions[index], kind: 0, first: 0, of: index, db)
        for read in dictionary.shape.reads.indices {
          let columns = try features.encoderColumns(read: read)
          let width = dictionary.shape.width
          let rows = try Tensor(columns, shape: [width, dictionary.shape.inputWidth]).unitRows(backend)
          try write(rows, kind: 1, first: read * width, of: index, db)
        }
      }
    }
  }

  private func unitRows(_ dictionary: SparseDictionary, _ rows: (Range<Int>) throws -> Tensor) throws -> Tensor {
    let backend = builder.model.backend
    let total = dictionary.shape.totalWidth
    return try backend.concatenate(
      stride(from: 0, to: total, by: 1024).map { start in
        try builder.check()
        return try rows(start..<min(start + 1024, total)).unitRows(backend)
      })
  }

  /// For each feature the nearest ones of other dictionaries, best first, at most two of one.
  private func elsewhere(_ index: Int, _ directions: [Tensor]) throws -> [[(id: Int, value: Double, tokens: Int?)]] {
    var found = [[(id: Int, value: Double, tokens: Int?)]](
      repeating: [], count: builder.dictionaries[index].shape.totalWidth)
    for other in builder.dictionaries.indices where other != index {
      let nearest = try NearestFeatures.find(
        directions[index], in: directions[other], limit: NearestFeatures.perDictionary, own: false,
        backend: builder.model.backend, check: builder.check)
      for (feature, list) in nearest.enumerated() {
        found[feature] += list.map { (builder.firstFeatures[other] + $0.feature, Double($0.value), nil) }
      }
    }
    return found.map { list in
      Array(list.sorted { ($1.value, $0.id) < ($0.value, $1.id) }.prefix(NearestFeatures.limit))
    }
  }

  /// Writes unit rows as int8 with a scale each, 256 features to a row of the table.
  private func write(_ rows: Tensor, kind: Int, first: Int, of index: Int, _ db: Database) throws {
    let (values, width) = (try rows.read(), max(rows.rowLength, 1))
    for start in stride(from: 0, to: rows.rows, by: Self.directionBlock) {
      let block = start..<min(start + Self.directionBlock, rows.rows)
      var (scales, data): ([Float], [Int8]) = ([], [])
      for row in block {
        let numbers = values[row * width..<(row + 1) * width]
        let largest = numbers.reduce(0) { max($0, abs($1)) }
        scales.append(largest / 127)
        data += numbers.map { number in
          let step = (number / largest * 127).rounded()
          return step.isFinite ? Int8(max(-127, min(127, step))) : 0
        }
      }
      try db.cachedStatement(
        sql: "INSERT INTO direction(dictionary_id, kind, first, count, scales, data) VALUES (?, ?, ?, ?, ?, ?)"
      ).execute(arguments: [index, kind, first + start, block.count, Blob.of(scales), Blob.of(data)])
    }
  }
}
