package import Foundation

/// Keeps two processes from writing into one folder. The lock is the kernel's, so it ends with its process however that
/// dies; the file tells people who holds it.
package final class FolderLock {
  /// Another process has the lock, if it said so the one of this number.
  package struct Taken: Error { package let process: Int? }

  private let file: URL
  private var descriptor: Int32

  /// Locks `folder`, which must exist.
  /// - Throws: `Taken`; `CheckpointError.unwritable` where no file can be made.
  package init(_ folder: URL) throws {
    file = folder.appending(path: ".lock")
    descriptor = -1
    while true {
      descriptor = open(file.path, O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
      guard descriptor >= 0 else { throw failure(errno) }
      guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
        let code = errno
        let holder = Self.process(descriptor)
        close(descriptor)
        descriptor = -1
        if code == EINTR { continue }
        guard code == EWOULDBLOCK else { throw failure(code) }
        throw Taken(process: holder)
      }
      // Between opening and locking its last holder may have removed the file: then this is a lock on nothing.
      if isInPlace { break }
      close(descriptor)
    }
    let text = Array("\(getpid())\n".utf8)
    guard ftruncate(descriptor, 0) == 0, pwrite(descriptor, text, text.count, 0) == text.count else {
      let code = errno
      close(descriptor)
      descriptor = -1
      throw failure(code)
    }
  }

  deinit {
    guard descriptor >= 0 else { return }
    // Where the folder was removed meanwhile, a file of that name is another's.
    if isInPlace { unlink(file.path) }
    close(descriptor)
  }

  private var isInPlace: Bool {
    var (own, there) = (stat(), stat())
    return fstat(descriptor, &own) == 0 && stat(file.path, &there) == 0 && own.st_ino == there.st_ino
  }

  private static func process(_ descriptor: Int32) -> Int? {
    var bytes = [UInt8](repeating: 0, count: 32)
    let count = pread(descriptor, &bytes, bytes.count, 0)
    return Int(
      String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines))
  }

  private func failure(_ code: Int32) -> CheckpointError {
    .unwritable(file: file.path, reason: String(cString: strerror(code)))
  }
}
