public import Foundation

/// A file mapped read-only into memory: pages are read when they are touched, and shared with the system's cache.
///
/// Safe to share, which the compiler cannot see: the mapping is made once, only read, and unmapped when nobody holds it
/// any more.
public final class MappedFile: @unchecked Sendable {
  /// The file as it was named.
  public let url: URL
  /// Its contents, valid for as long as this object lives.
  public let bytes: UnsafeRawBufferPointer

  /// - Throws: `TensorError.file` when `url` cannot be opened, is no regular file, or cannot be mapped.
  public init(_ url: URL) throws {
    self.url = url
    func failure(_ reason: String) -> TensorError { .file(path: url.path, reason: reason) }
    // Without O_NONBLOCK a named pipe would keep us waiting for its writer before it can be refused.
    let descriptor = open(url.path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw failure("cannot be opened: \(String(cString: strerror(errno)))") }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw failure(String(cString: strerror(errno))) }
    guard status.st_mode & S_IFMT == S_IFREG else { throw failure("is not a regular file") }
    guard let size = Int(exactly: status.st_size) else { throw failure("is too large to map") }
    guard size > 0 else {
      bytes = UnsafeRawBufferPointer(start: nil, count: 0)
      return
    }
    guard let start = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0), start != MAP_FAILED else {
      throw failure("cannot be mapped: \(String(cString: strerror(errno)))")
    }
    bytes = UnsafeRawBufferPointer(start: start, count: size)
  }

  deinit {
    if let start = bytes.baseAddress { munmap(UnsafeMutableRawPointer(mutating: start), bytes.count) }
  }

  /// Asks the system to read bytes `range` ahead of use.
  public func prefetch(_ range: Range<Int>) { advise(range, MADV_WILLNEED) }

  /// Tells the system that the pages of `range` are not needed soon, so that a file larger than memory can be walked.
  public func release(_ range: Range<Int>) { advise(range, MADV_DONTNEED) }

  private func advise(_ range: Range<Int>, _ advice: Int32) {
    guard let start = bytes.baseAddress, !range.isEmpty else { return }
    let page = Int(getpagesize())
    let lower = range.lowerBound / page * page
    let upper = min(range.upperBound, bytes.count)
    guard lower < upper else { return }
    // Advice is a hint: a refusal changes nothing.
    _ = madvise(UnsafeMutableRawPointer(mutating: start + lower), upper - lower, advice)
  }
}
