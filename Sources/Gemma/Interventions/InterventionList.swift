public import Foundation

/// Interventions in the order in which they are applied at each site.
///
/// The file (the same JSON everywhere a list of interventions is taken):
///
/// ```json
/// {"schema":1,"interventions":[
///   {"kind":"add","dictionary":"resid","feature":812,"value":0.25,"unit":"residual_norm","positions":"generated"},
///   {"kind":"ablate","dictionary":"clt","layer":4,"feature":17,"layers":{"from":4,"to":8}},
///   {"kind":"orthogonal","vector":{"file":"refusal.safetensors","tensor":"direction"},"site":"resid_post.9"},
///   {"kind":"splice","dictionary":"resid","keep_error":true,"positions":{"from":1}}]}
/// ```
///
/// Keys: `kind`; `dictionary` with `feature` (and `layer` for kinds that read several layers) or `vector`; `site`;
/// `value` and `unit` (`raw`, `max_activation`, `residual_norm`); `keep_error`; `positions` (`"all"`, the default,
/// `"prompt"`, `"generated"`, a list, or `{"from","to"}`); `layers` `{"from","to"}`. `from` is included, `to` is not;
/// either may be left out. Any other key is an error. Paths of vectors are relative to the file's folder.
public struct InterventionList: Sendable, Equatable {
  /// In the order in which they are applied.
  public var interventions: [Intervention]

  /// A list of `interventions`.
  public init(_ interventions: [Intervention] = []) { self.interventions = interventions }

  /// Whether nothing is to be changed.
  public var isEmpty: Bool { interventions.isEmpty }

  /// The largest file read: far more than any list written by people or by a page.
  private static let mostBytes = 16 << 20

  /// Reads a file.
  /// - Throws: `GemmaError.input` for a file that cannot be read or is no JSON, `GemmaError.configuration` for a fault
  ///   of the whole, `GemmaError.intervention` for one of an entry.
  public init(contentsOf url: URL) throws {
    let size = (try? url.resourceValues(forKeys: [.fileSizeKey]))?.fileSize ?? 0
    guard size <= Self.mostBytes else {
      throw GemmaError.input("\(url.path): \(size) bytes are too many for a list of interventions")
    }
    guard let json = try? Data(contentsOf: url) else { throw GemmaError.input("\(url.path): cannot be read") }
    try self.init(json: [UInt8](json), file: url.path, folder: url.deletingLastPathComponent())
  }
}
