import Dictionaries
import Foundation
import Sites

/// Gemma Scope 2 as its technical paper lists it (table 1), for pretrained and instruction-tuned models alike, and what is
/// said of its cost (DeepMind's announcement, 2025-12-19).
public enum PublishedGrid {
  /// "About 110 PB" of stored activations.
  public static let announcedBytes = 110e15
  /// "Over 1 trillion" parameters trained.
  public static let announcedParameters = 1e12
  /// The pretrained and the instruction-tuned model of each size.
  public static let variants = 2

  static let w16k = 1 << 14, w65k = 1 << 16, w262k = 1 << 18, w524k = 1 << 19, w1m = 1 << 20

  /// All dictionaries on one variant of a model.
  public static func dictionaries(_ model: PlannedModel) -> [PlannedDictionary] {
    everyLayer(model) + deepLayers(model) + multiLayer(model)
  }

  /// The `…_all` folders: every layer, two widths, two L0s; transcoders plain and affine.
  private static func everyLayer(_ model: PlannedModel) -> [PlannedDictionary] {
    (0..<model.layers).flatMap { layer in
      [w16k, w262k].flatMap { width in
        [20, 120].flatMap { goal in
          let l0 = rampedL0(goal, layer: layer, layers: model.layers)
          return [.residPost, .attnOut, .mlpOut].map { model.sae(Site($0, layer: layer), width: width, l0: l0) }
            + [false, true].map { model.transcoder(layer, width: width, l0: l0, isAffine: $0) }
        }
      }
    }
  }

  /// Four layers, three L0s, more widths, and one more seed of a residual SAE.
  private static func deepLayers(_ model: PlannedModel) -> [PlannedDictionary] {
    model.deepLayers.flatMap { layer in
      let l0s = [20, 60, 150]
      let narrow = [w16k, w65k, w262k]
      let resid = (narrow + [w1m]).flatMap { width in
        l0s.map { model.sae(.residPost(layer), width: width, l0: $0) }
      }
      let outputs = [Site.Kind.attnOut, .mlpOut].flatMap { site in
        narrow.flatMap { width in l0s.map { model.sae(Site(site, layer: layer), width: width, l0: $0) } }
      }
      let transcoders = narrow.flatMap { width in
        l0s.flatMap { l0 in [false, true].map { model.transcoder(layer, width: width, l0: l0, isAffine: $0) } }
      }
      return resid + [model.sae(.residPost(layer), width: w262k, l0: 60)] + outputs + transcoders
    }
  }

  /// Crosscoders over those four layers for every size, cross-layer transcoders for the two smallest.
  private static func multiLayer(_ model: PlannedModel) -> [PlannedDictionary] {
    let crosscoders = [w65k, w262k, w524k, w1m].flatMap { width in
      [50, 150].map { model.crosscoder(model.deepLayers, totalWidth: width, l0: $0) }
    }
    guard ["270m", "1b"].contains(model.name) else { return crosscoders }
    let all = Array(0..<model.layers)
    return crosscoders
      + [w262k, w524k].flatMap { width in
        [50, 150].flatMap { l0 in
          [false, true].map { model.clt(all, totalWidth: width, l0: l0, isAffine: $0) }
        }
      }
  }

  /// ⌊T/2 · (1 + min(1, 3 · layer / layers))⌋: the target rises over the first third of the depth.
  static func rampedL0(_ goal: Int, layer: Int, layers: Int) -> Int {
    Int(Double(goal) / 2 * (1 + min(1, 3 * Double(layer) / Double(layers))))
  }

  /// Tokens that a dictionary was trained on, as Gemma Scope 1 did it (table 1 there): 4 billion for 16k, 16 billion for 1M,
  /// 8 billion between. Gemma Scope 2 does not say.
  public static func tokens(width: Int) -> Double { width <= w16k ? 4e9 : width >= w1m ? 16e9 : 8e9 }
}
