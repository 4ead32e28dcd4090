/// Metadata of a known type. Each accessor throws `CheckpointError.missingKey` or `CheckpointError.wrongType`.
extension GGUFFile {
  /// A whole number of any stored width that fits Int.
  public func integer(_ key: String) throws -> Int {
    try read(key, "a whole number") { value in
      switch value {
      case .unsigned(let number): Int(exactly: number)
      case .signed(let number): Int(exactly: number)
      default: nil
      }
    }
  }

  /// A float32 or float64.
  public func float(_ key: String) throws -> Double {
    try read(key, "a float") { if case .float(let number) = $0 { number } else { nil } }
  }

  /// A bool.
  public func bool(_ key: String) throws -> Bool {
    try read(key, "a bool") { if case .bool(let flag) = $0 { flag } else { nil } }
  }

  /// A string.
  public func string(_ key: String) throws -> String {
    try read(key, "a string") { if case .string(let text) = $0 { text } else { nil } }
  }

  /// An array of strings, left in the file; see `GGUFArray.forEachUTF8(_:)`.
  public func strings(_ key: String) throws -> GGUFArray {
    try read(key, "an array of strings") { value in
      if case .array(let array) = value, array.elementType == .string { array } else { nil }
    }
  }

  /// An array of whole numbers of any stored width that fit Int.
  public func integers(_ key: String) throws -> [Int] {
    try read(key, "an array of whole numbers") { if case .array(let array) = $0 { array.integers() } else { nil } }
  }

  /// An array of floats.
  public func floats(_ key: String) throws -> [Float] {
    try read(key, "an array of floats") { if case .array(let array) = $0 { array.floats() } else { nil } }
  }

  private func read<Result>(_ key: String, _ expected: String, _ convert: (GGUFValue) -> Result?) throws -> Result {
    guard let value = value(key) else { throw CheckpointError.missingKey(file: path, key: key, expected: expected) }
    guard let result = convert(value) else {
      throw CheckpointError.wrongType(file: path, key: key, expected: expected, found: value.kind)
    }
    return result
  }
}
