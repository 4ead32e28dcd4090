import Foundation

/// Which tool's layout a path is in, by the files that are there.
enum ForeignLayout: Equatable {
  case saelens(folder: URL)
  case sparsify(folder: URL)
  /// Layers 0 ..< count.
  case circuitTracerCLT(folder: URL, count: Int)
  case circuitTracerLayer(file: URL, layer: Int)

  /// Nil when it is none of them: then it is for `SparseDictionary` to open.
  /// - Throws: `ConversionError.unreadable` for a layout that is there in part, or several dictionaries.
  init?(_ url: URL) throws {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) else { return nil }
    guard isFolder.boolValue else {
      guard let layer = Self.number(url.lastPathComponent, "layer_") else { return nil }
      self = .circuitTracerLayer(file: url, layer: layer)
      return
    }
    let names = (try? FileManager.default.contentsOfDirectory(atPath: url.path)) ?? []
    if names.contains("cfg.json") {
      if names.contains("sae_weights.safetensors") {
        self = .saelens(folder: url)
      } else if names.contains("sae.safetensors") {
        self = .sparsify(folder: url)
      } else {
        throw ConversionError.unreadable(
          path: url.path,
          reason: "holds cfg.json but neither sae_weights.safetensors (SAELens) nor sae.safetensors (sparsify)")
      }
      return
    }
    let encoders = Set(names.compactMap { Self.number($0, "W_enc_") })
    let decoders = Set(names.compactMap { Self.number($0, "W_dec_") })
    if let last = encoders.union(decoders).max() {
      guard last < DictionaryLayout.mostLayers else {
        throw ConversionError.unreadable(
          path: url.path, reason: "holds layer \(last); expected at most \(DictionaryLayout.mostLayers) layers")
      }
      for (found, prefix) in [(encoders, "W_enc_"), (decoders, "W_dec_")] {
        if let missing = (0...last).first(where: { !found.contains($0) }) {
          throw ConversionError.unreadable(path: url.path, reason: "\(prefix)\(missing).safetensors is missing")
        }
      }
      self = .circuitTracerCLT(folder: url, count: last + 1)
      return
    }
    let layers = names.compactMap { Self.number($0, "layer_") }.sorted()
    guard let layer = layers.first else { return nil }
    guard layers.count == 1 else {
      throw ConversionError.unreadable(
        path: url.path,
        reason: "holds transcoders of \(layers.count) layers; name one, such as layer_\(layer).safetensors")
    }
    self = .circuitTracerLayer(file: url.appending(path: "layer_\(layer).safetensors"), layer: layer)
  }

  /// N of `<prefix>N.safetensors`.
  private static func number(_ name: String, _ prefix: String) -> Int? {
    guard name.hasPrefix(prefix), name.hasSuffix(".safetensors") else { return nil }
    let digits = name.dropFirst(prefix.count).dropLast(".safetensors".count)
    guard !digits.isEmpty, digits.allSatisfy({ ("0"..."9").contains($0) }), let number = Int(digits),
      String(number) == digits
    else { return nil }
    return number
  }
}
