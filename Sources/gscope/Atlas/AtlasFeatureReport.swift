import Atlas
import Foundation

/// All that an atlas has of one feature.
struct AtlasFeatureReport {
  let feature: AtlasFeature
  let top: [AtlasExample]
  let intervals: [[AtlasExample]]
  private let state: JSONValue

  init(_ atlas: Atlas, _ key: FeatureKey) throws {
    feature = try atlas.feature(key)
    top = try atlas.examples(key, .top)
    intervals = try feature.intervals.indices.map { try atlas.examples(key, .interval($0)) }
    state = AtlasReport.state(atlas)
  }

  var json: JSONValue {
    let sketch = feature.sketch.histogram.map { bar -> JSONValue in
      ["lower": .float(bar.lower), "upper": .float(bar.upper), "count": .integer(bar.count)]
    }
    let ranges = zip(feature.intervals, intervals).map { interval, examples -> JSONValue in
      [
        "lower": .float(Float(interval.lower)), "upper": .float(Float(interval.upper)),
        "count": .integer(interval.count),
        "examples": .array(examples.map(Self.json)),
      ]
    }
    return .document(
      [("state", state)] + name(feature.key) + [
        ("dictionary_kind", .string(feature.dictionary.kind)),
        ("site", .string(AtlasReport.sites(feature.dictionary.reads))), ("count", .optional(feature.count)),
        ("sequences", .optional(feature.sequences)), ("rate", .double(feature.rate)), ("mean", .optional(feature.mean)),
        ("max", .optional(feature.maximum.map { Float($0) })),
        (
          "max_place",
          feature.place.map { ["sequence": .integer($0.sequence), "position": .integer($0.position)] } ?? .null
        ),
        (
          "quantiles",
          .array(feature.quantiles.map { ["share": .double($0.share), "value": .float($0.value)] })
        ), ("histogram", .array(sketch)), ("examples", .array(top.map(Self.json))), ("intervals", .array(ranges)),
        ("logits", logits), ("nearest", neighbours(feature.nearest)), ("coactive", neighbours(feature.coactive)),
        ("elsewhere", neighbours(feature.elsewhere)),
        ("matryoshka", ["rank": .integer(feature.key.index), "prefix": .optional(feature.prefix)]),
      ] + labels)
  }

  private func name(_ key: FeatureKey) -> [(key: String, value: JSONValue)] {
    [("dictionary", .string(key.dictionary)), ("index", .integer(key.index))]
      + (key.layer.map { [("layer", .integer($0))] } ?? [])
  }

  private func neighbours(_ list: [AtlasFeature.Neighbour]) -> JSONValue {
    .array(
      list.map { other in
        .object(
          name(other.key) + [("value", .double(other.value))]
            + (other.tokens.map { [("tokens", .integer($0))] } ?? []))
      })
  }

  private var logits: JSONValue {
    guard let logits = feature.logits else { return .null }
    func entries(_ list: [(token: AtlasToken, value: Float)]) -> JSONValue {
      .array(
        list.map {
          ["id": .integer(Int($0.token.id)), "piece": .string($0.token.piece), "value": .float($0.value)]
        })
    }
    return [
      "top": entries(logits.top), "bottom": entries(logits.bottom),
      "histogram": [
        "low": .float(logits.low), "high": .float(logits.high), "counts": .array(logits.counts.map { .integer($0) }),
      ],
    ]
  }

  /// An example as every command's JSON has it.
  static func json(_ example: AtlasExample) -> JSONValue {
    let ranges = DecodedText.ranges(of: example.tokens.map(\.bytes))
    let tokens = zip(example.tokens, ranges).map { token, range -> JSONValue in
      [
        "id": .integer(Int(token.id)), "piece": .string(token.piece),
        "text": .string(String(decoding: token.bytes, as: UTF8.self)), "start": .integer(range.lowerBound),
        "end": .integer(range.upperBound),
      ]
    }
    var members: [(key: String, value: JSONValue)] = [
      ("sequence", .integer(example.sequence)), ("position", .integer(example.position)),
      ("activation", .float(Float(example.activation))), ("effect", .optional(example.effect.map { Float($0) })),
      ("start", .integer(example.start)), ("tokens", .array(tokens)),
      ("activations", .array(example.activations.map { .float($0) })),
      ("effects", .array(example.effects.map { .optional($0) })),
    ]
    if let sources = example.sources {
      let outside = sources.outside.map { source -> JSONValue in
        [
          "position": .integer(source.position), "id": .integer(Int(source.token.id)),
          "piece": .string(source.token.piece), "value": .float(source.value),
        ]
      }
      members.append(
        (
          "sources",
          [
            "window": .array(sources.window.map { .float($0) }), "bos": .float(sources.begin),
            "elsewhere": .float(sources.elsewhere), "outside": .array(outside),
          ]
        ))
    }
    return .object(members + [("split", .integer(example.split)), ("partial", .bool(example.isPartial))])
  }
}
