import Checkpoints
import Foundation

/// One line of `metrics.jsonl`: means over the steps since the line before, and the schedules' values of the last one.
public struct MetricsLine: Equatable, Sendable, Codable {
  /// Steps taken.
  public var step: Int
  /// Activations trained on.
  public var tokens: Int
  public var loss: Double
  /// Of each batch about its own mean.
  public var fvu: Double
  public var l0: Double
  /// KL(p ‖ p̂), nats a token: only end to end.
  public var kl: Double?
  /// Share of features that have not fired for `dead_after` tokens.
  public var dead: Double
  public var learningRate: Double
  /// λ.
  public var sparsity: Double
  public var targetL0: Double
  /// The only number that another run of the same recipe has differently.
  public var tokensPerSecond: Double

  enum CodingKeys: String, CodingKey {
    case step, tokens, loss, fvu, l0, kl, dead, sparsity
    case learningRate = "learning_rate"
    case targetL0 = "target_l0"
    case tokensPerSecond = "tokens_per_second"
  }

  /// One line of JSON; numbers that are not finite are null.
  var json: String {
    func text(_ number: Double) -> String { number.isFinite ? "\(number)" : "null" }
    return "{\"step\":\(step),\"tokens\":\(tokens),\"loss\":\(text(loss)),\"fvu\":\(text(fvu)),\"l0\":\(text(l0)),"
      + (kl.map { "\"kl\":\(text($0))," } ?? "")
      + "\"dead\":\(text(dead)),\"learning_rate\":\(text(learningRate)),\"sparsity\":\(text(sparsity)),"
      + "\"target_l0\":\(text(targetL0)),\"tokens_per_second\":\(text(tokensPerSecond))}\n"
  }
}

/// Sums since the last line; saved with a checkpoint so that a resumed run writes the same lines.
struct MetricsSums: Codable, Equatable {
  var steps = 0
  var loss = 0.0
  var fvu = 0.0
  var l0 = 0.0
  var kl: Double?
}

/// Appends to a `metrics.jsonl`. A checkpoint remembers how long the file was; what a killed run wrote after it is cut
/// off when the run is taken up again.
final class MetricsLog {
  let url: URL
  private var descriptor: Int32 = -1
  private(set) var byteCount = 0

  /// Opens `url` and keeps its first `keeping` bytes.
  /// - Throws: `CheckpointError.unwritable`; `RunError.checkpoint` when the file is shorter.
  init(_ url: URL, keeping: Int) throws {
    self.url = url
    descriptor = open(url.path, O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw failure(errno) }
    let length = Int(lseek(descriptor, 0, SEEK_END))
    guard length >= keeping else {
      throw RunError.checkpoint(
        path: url.path, reason: "the file has \(length) bytes, but had \(keeping) when the checkpoint was made")
    }
    guard ftruncate(descriptor, off_t(keeping)) == 0 else { throw failure(errno) }
    byteCount = keeping
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  func append(_ line: MetricsLine) throws {
    let bytes = Array(line.json.utf8)
    var done = 0
    while done < bytes.count {
      let count = bytes.withUnsafeBytes {
        pwrite(descriptor, $0.baseAddress?.advanced(by: done), bytes.count - done, off_t(byteCount + done))
      }
      if count > 0 { done += count } else if count == 0 || errno != EINTR { throw failure(count == 0 ? ENOSPC : errno) }
    }
    byteCount += bytes.count
  }

  /// Brings what was written to the disk.
  func sync() throws {
    guard fsync(descriptor) == 0 else { throw failure(errno) }
  }

  private func failure(_ code: Int32) -> CheckpointError {
    .unwritable(file: url.path, reason: String(cString: strerror(code)))
  }

  /// Reads a `metrics.jsonl` back; a last line without its end is left out.
  /// - Throws: `RunError.checkpoint` naming the line that is wrong.
  static func read(_ url: URL) throws -> [MetricsLine] {
    guard let data = try? Data(contentsOf: url) else {
      throw RunError.checkpoint(path: url.path, reason: "the file cannot be read")
    }
    let decoder = JSONDecoder()
    var lines = data.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    lines.removeLast()
    return try lines.enumerated().map { number, line in
      // null stands for what was not finite.
      let text = String(decoding: line, as: UTF8.self).replacing(":null", with: ":1e999")
      guard let line = try? decoder.decode(MetricsLine.self, from: Data(text.utf8)) else {
        throw RunError.checkpoint(path: url.path, reason: "line \(number + 1) is no line of metrics")
      }
      return line
    }
  }
}
