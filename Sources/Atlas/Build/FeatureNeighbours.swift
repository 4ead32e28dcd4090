import Dictionaries
import Foundation
import GRDB
import Gemma
import Tensors

/// What the weights alone tell of features: which point most alike, and where to.
struct FeatureNeighbours {
  let dictionaries: [SparseDictionary]
  /// The first feature's number in the database, of each dictionary.
  let firstFeatures: [Int]
  let model: GemmaModel
  let check: CancellationCheck

  /// A neighbour by its number in the database; `tokens` of co-active ones.
  typealias Item = (id: Int, value: Double, tokens: Int?)

  /// `neighbour.kind`.
  enum Kind: Int {
    case decoder = 0
    case coactive, elsewhere
  }

  /// Features per row of the table `direction`.
  static let directionBlock = 256

  /// For each feature of dictionary `index` the nearest of its own by decoder cosine, best first.
  func nearest(_ index: Int) throws -> [[Item]] {
    let features = FeatureDirections(dictionary: dictionaries[index], model: model)
    let rows = try unitRows(dictionaries[index], features.decoderRows)
    let found = try NearestFeatures.find(
      rows, in: rows, limit: NearestFeatures.limit, own: true, backend: model.backend, check: check)
    return found.map { $0.map { (firstFeatures[index] + $0.feature, Double($0.value), nil) } }
  }

  /// Of every dictionary the features' directions in the residual stream, of length 1.
  func residualDirections() throws -> [Tensor] {
    try dictionaries.map {
      try unitRows($0, FeatureDirections(dictionary: $0, model: model).residualDirections)
    }
  }

  private func unitRows(_ dictionary: SparseDictionary, _ rows: (Range<Int>) throws -> Tensor) throws -> Tensor {
    let total = dictionary.shape.totalWidth
    return try model.backend.concatenate(
      stride(from: 0, to: total, by: 1024).map { start in
        try check()
        return try rows(start..<min(start + 1024, total)).unitRows(model.backend)
      })
  }

  /// For each feature the nearest ones of other dictionaries, best first, at most two of one.
  func elsewhere(_ index: Int, _ directions: [Tensor]) throws -> [[Item]] {
    var found = [[Item]](repeating: [], count: dictionaries[index].shape.totalWidth)
    for other in dictionaries.indices where other != index {
      let nearest = try NearestFeatures.find(
        directions[index], in: directions[other], limit: NearestFeatures.perDictionary, own: false,
        backend: model.backend, check: check)
      for (feature, list) in nearest.enumerated() {
        found[feature] += list.map { (firstFeatures[other] + $0.feature, Double($0.value), nil) }
      }
    }
    return found.map { list in
      Array(list.sorted { ($1.value, $0.id) < ($0.value, $1.id) }.prefix(NearestFeatures.limit))
    }
  }

  /// Writes the neighbours of feature `id`.
  static func write(_ neighbours: [Item], of id: Int, _ kind: Kind, _ db: Database) throws {
    let statement = try db.cachedStatement(
      sql: "INSERT INTO neighbour(feature_id, kind, rank, other_id, value, tokens) VALUES (?, ?, ?, ?, ?, ?)")
    for (rank, other) in neighbours.enumerated() {
      try statement.execute(arguments: [id, kind.rawValue, rank, other.id, other.value, other.tokens])
    }
  }

  /// Writes the directions of a dictionary's features and the columns of its encoder.
  func writeDirections(_ index: Int, _ directions: [Tensor], _ db: Database) throws {
    try write(directions[index], kind: 0, first: 0, of: index, db)
    let (dictionary, width) = (dictionaries[index], dictionaries[index].shape.width)
    let features = FeatureDirections(dictionary: dictionary, model: model)
    for read in dictionary.shape.reads.indices {
      let columns = try features.encoderColumns(read: read)
      let rows = try Tensor(columns, shape: [width, dictionary.shape.inputWidth]).unitRows(model.backend)
      try write(rows, kind: 1, first: read * width, of: index, db)
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
