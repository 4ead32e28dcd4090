/// A feature by name: `NAME#INDEX`, or `NAME#LAYER/INDEX` for a dictionary that reads several layers.
public struct FeatureKey: Hashable, Sendable, CustomStringConvertible {
  /// The dictionary's name in the atlas, or the last part of it.
  public let dictionary: String
  /// The layer it reads, where the dictionary reads several.
  public let layer: Int?
  /// Its index within that layer.
  public let index: Int

  /// A feature; whether an atlas has it is the atlas's question.
  public init(dictionary: String, layer: Int? = nil, index: Int) {
    self.dictionary = dictionary
    self.layer = layer
    self.index = index
  }

  /// Reads `NAME#INDEX` or `NAME#LAYER/INDEX`; nil for anything else.
  public init?(_ text: String) {
    guard let sign = text.lastIndex(of: "#"), sign > text.startIndex else { return nil }
    let numbers = text[text.index(after: sign)...].split(separator: "/", omittingEmptySubsequences: false)
    let parsed = numbers.compactMap { Int($0) }.filter { $0 >= 0 }
    guard parsed.count == numbers.count, 1...2 ~= parsed.count else { return nil }
    self.init(
      dictionary: String(text[..<sign]), layer: parsed.count == 2 ? parsed[0] : nil, index: parsed[parsed.count - 1])
  }

  public var description: String { "\(dictionary)#\(layer.map { "\($0)/" } ?? "")\(index)" }
}
