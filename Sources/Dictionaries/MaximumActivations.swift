import Checkpoints
import Foundation
import Synchronization
import Tensors

/// The largest activation each feature was seen to have, where a file beside the weights tells.
///
/// - `examples.safetensors`, tensor `activations` [F, examples] (Gemma Scope 2): the largest of a feature's row.
/// - `training.json`, key `max_activations`: F numbers, or for multi-layer kinds a list of F numbers for each read.
final class MaximumActivations: Sendable {
  private enum Source {
    case unread
    case none
    case examples(Tensor)
    case numbers([[Float]])
  }

  private let folder: URL
  private let shape: DictionaryShape
  private let source = Mutex(Source.unread)

  init(folder: URL, shape: DictionaryShape) {
    self.folder = folder
    self.shape = shape
  }

  /// Nil when nothing is known of the feature, or it was never seen active.
  func value(read: Int, feature: Int) throws -> Float? {
    let value: Float? = try source.withLock { source in
      if case .unread = source { source = try open() }
      switch source {
      case .unread, .none: return nil
      case .numbers(let lists): return lists[read][feature]
      case .examples(let activations): return try activations.rows(feature..<feature + 1).read().max()
      }
    }
    return value.flatMap { $0 > 0 && $0.isFinite ? $0 : nil }
  }

  var trainingFile: URL { folder.appending(path: "training.json") }

  /// The largest `training.json` read: a number takes at most about 24 characters, and the rest of the file is small.
  var mostTrainingBytes: Int {
    let limit = shape.totalWidth.multipliedReportingOverflow(by: 32)
    return limit.overflow ? .max : max(limit.partialValue, 1 << 24)
  }

  private func open() throws -> Source {
    let examples = folder.appending(path: "examples.safetensors")
    if !shape.isMultiLayer, FileManager.default.fileExists(atPath: examples.path) { return try open(examples) }
    guard FileManager.default.fileExists(atPath: trainingFile.path) else { return .none }
    return try readJSON(trainingFile, limit: mostTrainingBytes) { try numbers($0, path: trainingFile.path) }
  }

  private func open(_ examples: URL) throws -> Source {
    let name = "activations"
    let file = try SafetensorsFile(examples)
    let info = try file.info(name)
    func failure(_ expected: String, _ found: String) -> DictionaryError {
      .tensor(path: examples.path, name: name, expected: expected, found: found)
    }
    guard info.shape.count == 2, info.shape[0] == shape.width else {
      throw failure("shape [\(shape.width), examples]", "\(info.shape)")
    }
    guard let dtype = info.dtype, [.f32, .bf16, .f16, .f64].contains(dtype) else {
      throw failure("f32, bf16 or f16", info.typeName)
    }
    return .examples(try file.tensor(name))
  }

  private func numbers(_ bytes: UnsafeRawBufferPointer, path: String) throws -> Source {
    let key = "max_activations"
    var lists: [[Float]]?
    var scanner = JSONScanner(bytes)
    do {
      try scanner.object { name, scanner in
        guard name == key else { return try scanner.skipValue() }
        guard lists == nil else {
          throw DictionaryError.configuration(path: path, key: key, reason: "stands there twice")
        }
        var read: [[Float]] = []
        if shape.isMultiLayer {
          try scanner.array { try read.append(Self.list(&$0, limit: shape.width)) }
        } else {
          read = [try Self.list(&scanner, limit: shape.width)]
        }
        lists = read
      }
      try scanner.end()
    } catch let error as JSONError {
      throw DictionaryError.configuration(path: path, key: key, reason: "cannot be read: \(error)")
    }
    guard let lists else { return .none }
    guard lists.count == shape.reads.count, lists.allSatisfy({ $0.count == shape.width }) else {
      throw DictionaryError.configuration(
        path: path, key: key,
        reason: "holds \(lists.map(\.count)) numbers; expected \(shape.reads.count) × \(shape.width)")
    }
    return .numbers(lists)
  }

  private static func list(_ scanner: inout JSONScanner, limit: Int) throws -> [Float] {
    var values: [Float] = []
    try scanner.array { scanner in
      guard values.count < limit else { throw scanner.error("expected at most \(limit) numbers") }
      if try scanner.peek() == .null {
        try scanner.null()
        values.append(0)
      } else {
        let value = Float(try scanner.double())
        guard value.isFinite, value >= 0 else { throw scanner.error("expected numbers from 0 that fp32 holds") }
        values.append(value)
      }
    }
    return values
  }
}

extension SparseDictionary {
  /// The largest activation that feature `feature` of read `read` was seen to have in training or in the published
  /// examples; nil when no file tells, or it was never active.
  /// - Throws: `DictionaryError`, `CheckpointError` for a file that does not match the dictionary.
  public func maximumActivation(read: Int = 0, feature: Int) throws -> Float? {
    try checkRead(read)
    guard 0..<shape.width ~= feature else {
      throw DictionaryError.outOfRange(what: "feature", value: feature, limit: shape.width)
    }
    return try maxima.value(read: read, feature: feature)
  }
}
