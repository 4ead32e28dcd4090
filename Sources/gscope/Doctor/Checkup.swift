/// One line of `gscope doctor`.
struct Checkup {
  enum Status: String { case ok, warning, failed }

  let name: String
  let status: Status
  /// What was found.
  let finding: String
  /// What to do about it, where there is something.
  let advice: String?

  init(_ name: String, _ status: Status, _ finding: String, advice: String? = nil) {
    self.name = name
    self.status = status
    self.finding = finding
    self.advice = advice
  }

  var json: JSONValue {
    [
      "name": .string(name), "status": .string(status.rawValue), "finding": .string(finding),
      "advice": .optional(advice),
    ]
  }
}
