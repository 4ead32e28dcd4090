import ArgumentParser

/// A flag's value that is one of a library's named choices.
enum Choice {
  /// - Throws: `ValidationError` listing the choices.
  static func parse<T: RawRepresentable<String> & CaseIterable>(_ text: String, _ flag: String) throws -> T {
    guard let value = T(rawValue: text) else {
      let known = T.allCases.map(\.rawValue).joined(separator: ", ")
      throw ValidationError("\(flag) is '\(text)'; expected one of \(known).")
    }
    return value
  }
}
