public import Dictionaries
import Foundation
public import Sites

/// Which dictionaries to train on a model.
public struct DictionaryGrid: Equatable, Sendable {
  public var kinds: [DictionaryKind]
  /// For SAEs: which sites.
  public var saeSites: [Site.Kind]
  /// For single-layer kinds one dictionary each; for multi-layer kinds the layers of the one dictionary.
  public var layers: [Int]
  /// Features; for multi-layer kinds over all layers together, cut down to a multiple of 32 a layer as in Gemma Scope 2.
  public var widths: [Int]
  public var l0s: [Int]
  public var isAffine: Bool

  public init(
    kinds: [DictionaryKind], saeSites: [Site.Kind] = [.residPost], layers: [Int], widths: [Int], l0s: [Int],
    isAffine: Bool = false
  ) {
    self.kinds = kinds
    self.saeSites = saeSites
    self.layers = layers
    self.widths = widths
    self.l0s = l0s
    self.isAffine = isAffine
  }

  /// Every combination.
  public func dictionaries(_ model: PlannedModel) -> [PlannedDictionary] {
    var all: [PlannedDictionary] = []
    for kind in kinds {
      for width in widths {
        for l0 in l0s {
          switch kind {
          case .sae:
            for site in saeSites { all += layers.map { model.sae(Site(site, layer: $0), width: width, l0: l0) } }
          case .transcoder:
            all += layers.map { model.transcoder($0, width: width, l0: l0, isAffine: isAffine) }
          case .crosscoder: all.append(model.crosscoder(layers, totalWidth: width, l0: l0))
          case .clt: all.append(model.clt(layers, totalWidth: width, l0: l0, isAffine: isAffine))
          }
        }
      }
    }
    return all
  }
}

extension PlannedModel {
  /// Length of one activation at a site.
  public func width(of kind: Site.Kind) -> Int { kind == .attnOut ? attentionWidth : width }

  func sae(_ site: Site, width features: Int, l0: Int) -> PlannedDictionary {
    let length = width(of: site.kind)
    return PlannedDictionary(
      kind: .sae, reads: [site], writes: [site], width: features, inputWidth: length, outputWidth: length, l0: l0)
  }

  func transcoder(_ layer: Int, width features: Int, l0: Int, isAffine: Bool) -> PlannedDictionary {
    PlannedDictionary(
      kind: .transcoder, reads: [.mlpIn(layer)], writes: [.mlpOut(layer)], width: features, inputWidth: width,
      outputWidth: width, l0: l0, isAffine: isAffine)
  }

  func crosscoder(_ layers: [Int], totalWidth: Int, l0: Int) -> PlannedDictionary {
    let sites = layers.map { Site.residPost($0) }
    return PlannedDictionary(
      kind: .crosscoder, reads: sites, writes: sites, width: Self.perLayer(totalWidth, layers.count), inputWidth: width,
      outputWidth: width, l0: l0)
  }

  func clt(_ layers: [Int], totalWidth: Int, l0: Int, isAffine: Bool) -> PlannedDictionary {
    PlannedDictionary(
      kind: .clt, reads: layers.map { .mlpIn($0) }, writes: layers.map { .mlpOut($0) },
      width: Self.perLayer(totalWidth, layers.count), inputWidth: width, outputWidth: width, l0: l0, isAffine: isAffine)
  }

  /// 262,144 over 26 layers is 10,080 a layer, over 18 layers 14,560.
  private static func perLayer(_ total: Int, _ layers: Int) -> Int {
    let even = total / max(layers, 1)
    return even >= 32 ? even / 32 * 32 : even
  }
}
