import Checkpoints
import Testing

struct JSONNumberTests {
  @Test(arguments: [
    ("0", 0), ("-0", 0), ("7", 7), ("-12", -12), ("9223372036854775807", Int.max), ("-9223372036854775808", Int.min),
  ])
  func readsWholeNumbers(_ text: String, _ value: Int) throws {
    #expect(try scan(text) { try $0.integer() } == value)
  }

  @Test(arguments: [
    "9223372036854775808", "-9223372036854775809", "18446744073709551616", "1.0", "1e3", "1E3", "-", "", "true",
    "99999999999999999999999999999999",
  ])
  func refusesOtherWholeNumbers(_ text: String) {
    #expect(throws: JSONError.self) { try scan(text) { try $0.integer() } }
  }

  @Test(arguments: [
    ("0", 0), ("-0.0", -0.0), ("1.5", 1.5), ("1e3", 1000), ("1E-3", 0.001), ("-2.5e+3", -2500), ("1e400", .infinity),
    ("1e-400", 0), ("0.1", 0.1), ("123456789012345678901234567890", 0x1.8ee90ff6c373ep+96),
  ])
  func readsNumbers(_ text: String, _ value: Double) throws {
    let found = try scan(text) { try $0.double() }
    #expect(found.bitPattern == value.bitPattern)
  }
}
