import Foundation
import Sites
import Tensors

extension DictionaryLayout {
  var folder: URL { files.first?.deletingLastPathComponent() ?? url }

  /// The folder with its family: `resid_post/layer_9_width_16k_l0_small`; Gemma Scope 1's levels with their repository.
  var defaultName: String {
    let parts = folder.standardizedFileURL.pathComponents.filter { $0 != "/" }
    let isScope1Path = parts.dropLast().last?.hasPrefix("width_") == true
    let hasRepository = parts.dropLast(3).last?.hasPrefix("gemma-scope-") == true
    let depth = isScope1Path ? (hasRepository ? 4 : 3) : hints.kind == nil ? 1 : 2
    return parts.suffix(depth).joined(separator: "/")
  }

  /// The dictionary's shape from its layers, which must agree with one another and with the configuration.
  /// - Throws: `DictionaryError.tensor`, `.contradiction`.
  func shape(_ kind: DictionaryKind, _ reads: [Site], _ writes: [Site], _ layers: [DictionaryLayer]) throws
    -> DictionaryShape
  {
    guard let first = layers.first else { throw DictionaryError.unknownSite(path: url.path) }
    for layer in layers.dropFirst() {
      try first.checkAgreement(layer)
    }
    let (total, overflow) = first.width.multipliedReportingOverflow(by: layers.count)
    guard !overflow else {
      throw DictionaryError.tensor(
        path: first.path, name: "w_enc", expected: "a width in memory", found: "\(first.width)")
    }
    if let stated = configuration.totalWidth, stated != total {
      let counted = layers.count == 1 ? "\(total) features" : "\(layers.count) × \(first.width) = \(total) features"
      throw DictionaryError.contradiction(path: url.path, configuration: "width \(stated)", files: counted)
    }
    let hasSkip = first.skip != nil
    // A missing key says nothing: then the tensor decides, but a folder named for one must hold it.
    let isNamed = configuration.isAffine == nil && hints.isAffine == true
    if let stated = configuration.isAffine ?? (isNamed ? true : nil), stated != hasSkip {
      throw DictionaryError.contradiction(
        path: url.path, configuration: isNamed ? "(by the folder's name) affine" : "affine_connection \(stated)",
        files: hasSkip ? "tensor 'affine_skip_connection'" : "no tensor 'affine_skip_connection'")
    }
    if kind == .sae, first.inputWidth != first.outputWidth {
      throw DictionaryError.tensor(
        path: first.path, name: "w_dec", expected: "rows of \(first.inputWidth), the width an sae reads",
        found: "\(first.outputWidth)")
    }
    return DictionaryShape(
      kind: kind, reads: reads, writes: writes, width: first.width, inputWidth: first.inputWidth,
      outputWidth: first.outputWidth, isAffine: hasSkip)
  }
}

extension DictionaryLayer {
  /// - Throws: `DictionaryError.tensor` naming what differs in `other`.
  fileprivate func checkAgreement(_ other: DictionaryLayer) throws {
    func failure(_ name: String, _ expected: String, _ found: String) -> DictionaryError {
      .tensor(path: other.path, name: name, expected: "\(expected) as in the first layer's file", found: found)
    }
    guard other.encoder.shape == encoder.shape else {
      throw failure("w_enc", "shape \(encoder.shape)", "\(other.encoder.shape)")
    }
    guard other.outputWidth == outputWidth, compactWrites != nil || other.decoder.shape == decoder.shape else {
      throw failure("w_dec", "shape \(decoder.shape)", "\(other.decoder.shape)")
    }
    guard (other.skip == nil) == (skip == nil) else {
      throw failure(
        "affine_skip_connection", skip == nil ? "none" : "a matrix", other.skip == nil ? "none" : "a matrix")
    }
  }
}
