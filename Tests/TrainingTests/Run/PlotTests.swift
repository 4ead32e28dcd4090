import Foundation
import TestSupport
import Testing
import Training

#if canImport(FoundationXML)
  import FoundationXML
#endif

@Suite struct PlotTests {
  /// Counts elements and remembers numbers.
  private final class Reader: NSObject, XMLParserDelegate {
    var elements: [String: Int] = [:]
    var coordinates: [Double] = []
    var texts: [String] = []
    private var text = ""

    func parser(
      _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
      attributes: [String: String]
    ) {
      elements[name, default: 0] += 1
      for key in ["x", "y", "x1", "x2", "y1", "y2"] { attributes[key].flatMap(Double.init).map { coordinates.append($0) } }
      text = ""
      if let path = attributes["d"] {
        coordinates += path.split { "ML ".contains($0) }.compactMap { Double($0) }
      }
    }
    func parser(_ parser: XMLParser, foundCharacters string: String) { text += string }
    func parser(
      _ parser: XMLParser, didEndElement name: String, namespaceURI: String?, qualifiedName: String?
    ) { if name == "text" { texts.append(text.trimmingCharacters(in: .whitespacesAndNewlines)) } }
  }

  private func read(_ svg: String) throws -> Reader {
    let reader = Reader()
    let parser = XMLParser(data: Data(svg.utf8))
    parser.delegate = reader
    #expect(parser.parse(), "\(String(describing: parser.parserError))\n\(svg)")
    return reader
  }

  @Test(arguments: 0..<20) func picturesAreWellFormedAndInsideTheirFrame(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let scale = pow(10, Double(random.int(-6...9)))
    let lines = (0..<random.int(1...4)).map { number in
      LinePlot.Line(
        label: "line \(number) <&\">",
        points: (0..<random.int(0...50)).map { (Double($0) * 1e5, Double(random.float()) * scale) })
    }
    let plot = LinePlot(
      title: "a < b & c\u{1}", xLabel: "x", yLabel: "\"y\"", lines: lines, includesZero: seed % 2 == 0)
    let reader = try read(plot.svg)
    #expect(reader.elements["svg"] == 1)
    #expect(reader.elements["path", default: 0] == lines.filter { !$0.points.isEmpty }.count)
    #expect(reader.coordinates.allSatisfy { $0.isFinite && $0 >= -1 && $0 <= 721 })
    #expect(reader.texts.filter { $0.contains { $0.isNumber } }.count >= 4, "axes have numbers: \(reader.texts)")
  }

  @Test func gapsAndConstantsArePossible() throws {
    let points = [(0.0, 1.0), (1.0, .nan), (2.0, 1.0), (3.0, 1.0)].map { (x: $0.0, y: $0.1) }
    let plot = LinePlot(title: "t", xLabel: "x", yLabel: "y", lines: [.init(label: "a", points: points)])
    #expect(try read(plot.svg).elements["path"] == 2)
    let flat = LinePlot(
      title: "t", xLabel: "x", yLabel: "y", lines: [.init(label: "a", points: [(x: 5, y: 0)])])
    _ = try read(flat.svg)
  }
}
