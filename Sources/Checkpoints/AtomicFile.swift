public import Foundation

/// A file that appears whole or not at all: it is filled under a temporary name in the folder of its destination,
/// synced to disk and then renamed into place, replacing what was there. Dropped without `commit()` it leaves nothing
/// behind. A symbolic link is followed: what it points to is replaced.
public final class AtomicFile {
  /// The destination.
  public let url: URL
  /// Where `url` leads once symbolic links are followed.
  private let destination: String
  private let temporary: String
  private var descriptor: Int32
  private var isCommitted = false

  /// Opens a temporary file beside `url`.
  /// - Parameter byteCount: bytes about to be written, refused at once when the disk has less room.
  /// - Throws: `CheckpointError.unwritable`, also when `url` is a folder, a device or anything else but a regular file.
  public init(_ url: URL, byteCount: Int = 0) throws {
    self.url = url
    destination = try Self.resolved(url.path, file: url.path)
    let folder = Self.folder(of: destination)
    let tag = String(UInt64.random(in: .min ... .max), radix: 16)
    temporary = URL(filePath: folder).appending(path: Self.prefix + tag).path
    descriptor = -1
    try Self.checkRoom(for: byteCount, in: folder, file: url.path)
    descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw Self.failure(url.path, errno) }
  }

  deinit {
    guard !isCommitted, descriptor >= 0 else { return }
    close(descriptor)
    unlink(temporary)
  }

  /// Writes `bytes` at byte `offset` of the file.
  /// - Throws: `CheckpointError.unwritable`.
  public func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws {
    try Self.write(bytes, at: offset, to: descriptor, file: url.path)
  }

  /// Syncs the file and puts it in place; nothing may be written afterwards.
  /// - Throws: `CheckpointError.unwritable`, leaving the destination as it was (unless only the folder, and with it the
  ///   new name, could not be synced).
  public func commit() throws {
    guard fsync(descriptor) == 0 else { throw Self.failure(url.path, errno) }
    guard rename(temporary, destination) == 0 else { throw Self.failure(url.path, errno) }
    isCommitted = true
    close(descriptor)
    try Self.syncFolder(Self.folder(of: destination), file: url.path)
  }

  /// The rename itself reaches the disk only when the folder is synced.
  private static func syncFolder(_ path: String, file: String) throws {
    let folder = open(path, O_RDONLY | O_CLOEXEC)
    guard folder >= 0 else { throw failure(file, errno) }
    defer { close(folder) }
    // Some network file systems cannot sync a folder and say EINVAL; there the rename is as durable as it gets.
    guard fsync(folder) == 0 || errno == EINVAL || errno == ENOTSUP else { throw failure(file, errno) }
  }

  private static let prefix = ".partial-"

  /// Whether a file of this name is one in the making, or what a killed process left of one.
  package static func isPartial(_ name: String) -> Bool { name.hasPrefix(prefix) }

  /// Removes what killed processes left in `folder`, in which nobody else may be writing.
  package static func removeLeftovers(in folder: URL) {
    for name in (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? [] where isPartial(name) {
      try? FileManager.default.removeItem(at: folder.appending(path: name))
    }
  }

  private static func folder(of path: String) -> String { URL(filePath: path).deletingLastPathComponent().path }

  /// Where `path` leads, symbolic links followed, also one whose target is yet to be made. A rename replaces whatever
  /// it meets, so anything but a regular file is refused here.
  private static func resolved(_ path: String, file: String) throws -> String {
    var status = stat()
    guard stat(path, &status) == 0 else {
      guard errno == ENOENT else { throw failure(file, errno) }
      guard let target = try? FileManager.default.destinationOfSymbolicLink(atPath: path) else { return path }
      return try resolved(target.hasPrefix("/") ? target : folder(of: path) + "/" + target, file: file)
    }
    switch status.st_mode & S_IFMT {
    case S_IFREG: break
    case S_IFDIR: throw CheckpointError.unwritable(file: file, reason: "is a directory")
    default: throw CheckpointError.unwritable(file: file, reason: "is not a regular file")
    }
    guard let real = realpath(path, nil) else { throw failure(file, errno) }
    defer { free(real) }
    return String(cString: real)
  }

  /// A disk without room is better found before an hour of writing than after; a file system that reports no size at
  /// all is taken at its word when the write fails.
  private static func checkRoom(for byteCount: Int, in folder: String, file: String) throws {
    guard byteCount > 0 else { return }
    var status = statvfs()
    guard statvfs(folder, &status) == 0, status.f_blocks > 0 else { return }
    let (free, overflow) = UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize))
    guard overflow || UInt64(byteCount) <= free else {
      throw CheckpointError.unwritable(file: file, reason: "needs \(byteCount) bytes, the disk has \(free) left")
    }
  }

  /// Writes all of `bytes` to an open file, whatever number of calls that takes.
  package static func write(
    _ bytes: UnsafeRawBufferPointer, at offset: Int, to descriptor: Int32, file: String
  ) throws {
    var done = 0
    while done < bytes.count {
      let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
      let count = pwrite(descriptor, rest.baseAddress, rest.count, off_t(offset + done))
      if count > 0 {
        done += count
      } else if count == 0 {
        throw failure(file, ENOSPC)
      } else if errno != EINTR {
        throw failure(file, errno)
      }
    }
  }

  private static func failure(_ file: String, _ code: Int32) -> CheckpointError {
    .unwritable(file: file, reason: String(cString: strerror(code)))
  }
}

extension AtomicFile {
  /// Replaces the contents of `url` by `bytes`.
  /// - Throws: `CheckpointError.unwritable`.
  public static func write(_ bytes: some DataProtocol, to url: URL) throws {
    let file = try AtomicFile(url, byteCount: bytes.count)
    var offset = 0
    for region in bytes.regions {
      try region.withUnsafeBytes { try file.write($0, at: offset) }
      offset += region.count
    }
    try file.commit()
  }

  /// Replaces the contents of `url` by `value` as JSON, keys sorted, so that equal values give equal files.
  /// - Throws: `CheckpointError.unwritable`, also when `value` cannot be encoded.
  public static func writeJSON(_ value: some Encodable, to url: URL) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    var bytes: Data
    do {
      bytes = try encoder.encode(value)
    } catch {
      throw CheckpointError.unwritable(file: url.path, reason: "\(error)")
    }
    bytes.append(UInt8(ascii: "\n"))
    try write(bytes, to: url)
  }
}
