import Checkpoints
import Sites

/// A source of Neuronpedia: what of a dictionary reads one site. Its indices are those of the features within that read,
/// so a dictionary of several layers is several sources, as it is there.
struct NeuronpediaSource {
  let dictionary: AtlasDictionary
  let read: Int
  let set: String
  private(set) var id: String

  private init(_ dictionary: AtlasDictionary, read: Int, set: String?) {
    self.dictionary = dictionary
    self.read = read
    self.set = set ?? Self.defaultSet(dictionary)
    let site = dictionary.reads[read]
    id = "\(site.kind == .embed ? "e" : "\(site.layer)")-\(self.set)"
  }

  var site: Site { dictionary.reads[read] }
  var width: Int { dictionary.width }

  /// The number in the database of its first feature.
  var firstFeature: Int { dictionary.firstFeature + read * dictionary.width }

  /// The sources of some dictionaries. Where two would have one id, the end of the dictionary's name is put behind it,
  /// after `__`, which Neuronpedia takes as a part of the source's name that is none of the set's.
  /// - Throws: `AtlasError.option` where ids are equal even so, or the import could not list all the files of one.
  static func all(_ dictionaries: [AtlasDictionary], set: String?) throws -> [NeuronpediaSource] {
    var sources = dictionaries.flatMap { dictionary in
      dictionary.reads.indices.map { NeuronpediaSource(dictionary, read: $0, set: set) }
    }
    var uses: [String: Int] = [:]
    for source in sources { uses[source.id, default: 0] += 1 }
    for index in sources.indices where uses[sources[index].id] ?? 0 > 1 {
      sources[index].id += "__" + slug(sources[index].dictionary.name)
    }
    var ids: Set<String> = []
    for source in sources {
      guard ids.insert(source.id).inserted else {
        throw AtlasError.option(
          name: "source-set", reason: "two dictionaries are called '\(source.id)'; export one at a time")
      }
      guard source.width <= NeuronpediaFiles.mostRows else {
        throw AtlasError.option(
          name: "dictionary",
          reason: "'\(source.dictionary.name)' has \(source.width) features of a layer; the import lists files of "
            + "\(NeuronpediaFiles.mostRows) at most")
      }
    }
    return sources
  }

  private static func defaultSet(_ dictionary: AtlasDictionary) -> String {
    var kind = dictionary.kind
    if kind == "sae" {
      switch dictionary.reads[0].kind {
      case .embed: kind = "embed"
      case .attnOut: kind = "att"
      case .mlpIn: kind = "mlp-in"
      case .mlpOut: kind = "mlp"
      case .residPost: kind = "res"
      }
    }
    let width = dictionary.width
    let short = width >= 1 << 20 ? "\(width >> 20)m" : width >= 1024 ? "\(width / 1000)k" : "\(width)"
    return "gscope-\(kind)-\(short)"
  }

  /// The end of a name, of letters, digits and single hyphens.
  static func slug(_ name: String) -> String {
    let last = name.split(separator: "/").last.map(String.init) ?? name
    return last.unicodeScalars.split {
      !($0.isASCII && ($0.properties.isAlphabetic || $0.properties.numericType != nil))
    }
    .map { String(String.UnicodeScalarView($0)) }.joined(separator: "-")
  }
}

/// Ids of rows.
enum NeuronpediaID {
  /// A cuid by form ("c" and 24 digits to the base 36), made of what the row is about: made again it is the same, and
  /// an import changes nothing.
  static func make(_ parts: [String]) -> String {
    let hash = SHA256.hex(of: Array(parts.joined(separator: "\u{0}").utf8))
    var number = UInt128(hash.prefix(32), radix: 16) ?? 0
    var digits: [Character] = []
    for _ in 0..<24 {
      digits.append(Character(String(number % 36, radix: 36)))
      number /= 36
    }
    return "c" + String(digits)
  }
}
