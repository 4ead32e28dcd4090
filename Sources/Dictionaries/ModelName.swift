/// The name under which Hugging Face has a model, from the variants that Gemma Scope configurations contain: without
/// `google/`, with `-v3` for `-3`, and `gemma-3-270m-pt` for what is published as `gemma-3-270m`.
public func normalisedModelName(_ name: String) -> String {
  var parts = name.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
  guard var last = parts.popLast() else { return name }
  if last.hasPrefix("gemma-v3-") { last = "gemma-3-" + last.dropFirst("gemma-v3-".count) }
  if last == "gemma-3-270m-pt" { last = "gemma-3-270m" }
  if parts.isEmpty, last.hasPrefix("gemma-") { parts = ["google"] }
  return (parts + [last]).joined(separator: "/")
}
