/// Names shortened together, so that what tells them apart stays: `transcoder/layer_9_width_640_l0_30` among others of its
/// kind becomes `transcoder/layer_9…`.
struct DistinctNames {
  /// Names that are shorter stay as they are.
  private static let shortEnough = 16
  /// Columns that names get before others are left out.
  private static let readable = 24

  /// The names, then what is left after each step that takes a common part out.
  private let stages: [[String: String]]

  init(_ names: some Sequence<String>) {
    let names = Set(names)
    let long = names.filter { VisibleText.width($0) > Self.shortEnough }
    // Those of one folder have most in common.
    let groups = Dictionary(grouping: long) { $0.contains("/") ? $0.prefix { $0 != "/" } : "" }
      .values.map { $0.sorted() }.filter { $0.count > 1 }.sorted { $0[0] < $1[0] }
    var stages = [Dictionary(uniqueKeysWithValues: names.map { ($0, $0) })]
    var pieces = groups.map { $0.map(Self.pieces) }
    while true {
      var (next, isShorter) = (stages[stages.count - 1], false)
      for (index, group) in groups.enumerated() {
        for run in Self.commonRuns(pieces[index]) {
          let shorter = pieces[index].map { Self.removing(run, from: $0) }
          var tried = next
          for (name, pieces) in zip(group, shorter) { tried[name] = pieces.joined() }
          guard Set(tried.values).count == names.count else { continue }
          (next, pieces[index], isShorter) = (tried, shorter, true)
          break
        }
      }
      guard isShorter else { break }
      stages.append(next)
    }
    self.stages = stages
  }

  private static func width(_ names: [String: String]) -> Int { names.values.map(VisibleText.width).max() ?? 0 }

  /// Columns within which names can be told apart and still say something.
  var leastWidth: Int {
    let widths = stages.map(Self.width)
    let last = widths.last ?? 0
    // Where names stay long whatever is taken out, the narrowest cut that keeps them apart.
    return widths.first { $0 <= Self.readable }
      ?? (Self.readable...max(last, Self.readable)).first {
        Set(shortened(to: $0).values).count == stages[0].count
      } ?? last
  }

  /// Each name in at most `width` columns.
  func shortened(to width: Int) -> [String: String] {
    // As much as possible of the names is kept: they are cut at the end if that keeps them apart, else in the middle, else
    // after what they have in common was taken out.
    var best = stages[0].mapValues { VisibleText.clipped($0, to: width) }
    for stage in stages {
      for cut in [VisibleText.clipped, Self.cutInTheMiddle] {
        let names = stage.mapValues { cut($0, width) }
        if Set(names.values).count > Set(best.values).count { best = names }
      }
    }
    return best
  }

  private static func cutInTheMiddle(_ text: String, to width: Int) -> String {
    guard VisibleText.width(text) > width, width > 2 else { return VisibleText.clipped(text, to: width) }
    var tail = ""
    for character in text.reversed() {
      guard VisibleText.width(tail) + VisibleText.width(String(character)) <= (width - 1) / 2 else { break }
      tail = String(character) + tail
    }
    return VisibleText.clipped(text, to: width - VisibleText.width(tail)) + tail
  }

  /// Words and what stands between them.
  private static func pieces(_ name: String) -> [String] {
    var (pieces, wasWord): ([String], Bool) = ([], false)
    for character in name {
      let isWord = character.isLetter || character.isNumber
      if isWord, wasWord { pieces[pieces.count - 1].append(character) } else { pieces.append(String(character)) }
      wasWord = isWord
    }
    return pieces
  }

  private static let gap = "…"

  /// Runs of pieces that all names have and that are worth a gap: first those at their ends, then inner ones, then those at
  /// their beginnings, and of each kind the longest first.
  private static func commonRuns(_ names: [[String]]) -> [ArraySlice<String>] {
    guard let first = names.first else { return [] }
    var found: [(order: (Int, Int), run: ArraySlice<String>)] = []
    for start in first.indices {
      for end in (start + 1)...first.count {
        let run = first[start..<end]
        if run.last == gap { break }
        let width = run.reduce(0) { $0 + VisibleText.width($1) }
        guard width > 2, names.allSatisfy({ place(of: run, in: $0) != nil }) else { continue }
        found.append(((start == 0 ? 2 : end == first.count ? 0 : 1, -width), run))
      }
    }
    return found.sorted { $0.order < $1.order }.map(\.run)
  }

  /// The pieces with the last such run replaced by a gap; two gaps side by side are one.
  private static func removing(_ run: ArraySlice<String>, from name: [String]) -> [String] {
    guard let place = place(of: run, in: name) else { return name }
    let pieces = name[..<place] + [gap] + name[(place + run.count)...]
    return pieces.reduce(into: []) { if $1 != gap || $0.last != gap { $0.append($1) } }
  }

  private static func place(of run: ArraySlice<String>, in name: [String]) -> Int? {
    guard run.count <= name.count else { return nil }
    return (0...name.count - run.count).last { name[$0..<$0 + run.count].elementsEqual(run) }
  }
}
