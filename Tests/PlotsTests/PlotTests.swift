import Foundation
import Plots
import TestSupport
import Testing

#if canImport(FoundationXML)
  import FoundationXML
#endif

@Suite struct PlotTests {
  /// Counts elements and remembers numbers.
  private final class Reader: NSObject, XMLParserDelegate {
    var elements: [String: Int] = [:]
    var coordinates: [Double] = []
    var sizes: [Double] = []
    var texts: [String] = []
    private var text = ""

    func parser(
      _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
      attributes: [String: String]
    ) {
      elements[name, default: 0] += 1
      for key in ["x", "y", "x1", "x2", "y1", "y2"] {
        attributes[key].flatMap(Double.init).map { coordinates.append($0) }
      }
      for key in ["width", "height"] { attributes[key].flatMap(Double.init).map { sizes.append($0) } }
      for key in ["cx", "cy"] { attributes[key].flatMap(Double.init).map { coordinates.append($0) } }
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
      Plot.Series(
        "line \(number) <&\">", .line,
        (0..<random.int(0...50)).map { Plot.Point(Double($0) * 1e5, Double(random.float()) * scale) })
    }
    let plot = Plot(
      title: "a < b & c\u{1}", xLabel: "x", yLabel: "\"y\"", series: lines, includesZero: seed % 2 == 0)
    let reader = try read(plot.svg)
    #expect(reader.elements["svg"] == 1)
    #expect(reader.elements["path", default: 0] == lines.filter { !$0.points.isEmpty }.count)
    #expect(reader.coordinates.allSatisfy { $0.isFinite && $0 >= -1 && $0 <= 721 })
    #expect(reader.texts.filter { $0.contains { $0.isNumber } }.count >= 4, "axes have numbers: \(reader.texts)")
  }

  @Test func gapsAndConstantsArePossible() throws {
    let points = [(0.0, 1.0), (1.0, .nan), (2.0, 1.0), (3.0, 1.0)].map { Plot.Point($0.0, $0.1) }
    let plot = Plot(title: "t", xLabel: "x", yLabel: "y", series: [.init("a", .line, points)])
    #expect(try read(plot.svg).elements["path"] == 2)
    let flat = Plot(title: "t", xLabel: "x", yLabel: "y", series: [.init("a", .line, [Plot.Point(5, 0)])])
    _ = try read(flat.svg)
    _ = try read(Plot(title: "t", xLabel: "x", yLabel: "y", series: []).svg)
  }

  @Test(arguments: 0..<10) func discsAndBarsLieInsideTheFrame(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let count = random.int(1...30)
    let points = (0..<count).map { index in
      let y = Double(random.float()) * 3
      return Plot.Point(Double(index) * 0.25 - 4, y, interval: y - 0.5...y + 1, label: "p\(index) <")
    }
    let hidden = Plot.Point(.infinity, 2, label: "never")
    let plot = Plot(
      title: "t", xLabel: "x", yLabel: "y",
      series: [
        .init("discs", .points, points + [hidden]), .init("linked", .linkedPoints, points),
        .init("bars", .bars(width: 0.25), points.map { Plot.Point($0.x, $0.y) }),
      ])
    let reader = try read(plot.svg)
    #expect(reader.elements["circle"] == 2 * count && reader.elements["path"] == 1)
    // The white ground is one more.
    #expect(reader.elements["rect"] == count + 1)
    #expect(reader.coordinates.allSatisfy { $0.isFinite && $0 >= -1 && $0 <= 721 })
    #expect(!reader.texts.contains("never") && reader.texts.contains("p0 <"))
    #expect(reader.sizes.allSatisfy { $0 >= 0 })
  }
}
