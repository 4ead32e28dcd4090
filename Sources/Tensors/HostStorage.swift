import Foundation

/// Host memory, owned or mapped from a file.
///
/// Safe to share: the bytes are written only by the operation that creates the storage, before anyone else can see it;
/// afterwards they are only read. A mapped file that somebody else truncates while it is open is outside this promise
/// (the operating system then ends the process with SIGBUS).
public final class HostStorage: TensorStorage, @unchecked Sendable {
  private enum Owner {
    case allocation
    case mapping(MappedFile)
  }

  package let bytes: UnsafeMutableRawBufferPointer
  private let owner: Owner

  public var byteCount: Int { bytes.count }

  /// Alignment of owned memory, a cache line: vector loads never straddle two.
  package static let alignment = 64

  /// From this size on, owned memory asks for large pages: a result of hundreds of megabytes, first touched small page
  /// by small page, would take up to a fifth of the time of the product that fills it (docs/benchmarks.md).
  private static let largeByteCount = 8 << 20
  private static let largePage = 2 << 20

  /// Uninitialised memory of `byteCount` bytes.
  /// - Throws: `TensorError.outOfMemory`.
  package init(byteCount: Int) throws {
    var pointer: UnsafeMutableRawPointer?
    let alignment = byteCount >= Self.largeByteCount ? Self.largePage : Self.alignment
    guard byteCount >= 0, posix_memalign(&pointer, alignment, max(byteCount, 1)) == 0, let pointer else {
      throw TensorError.outOfMemory(bytes: byteCount)
    }
    #if os(Linux)
      // A refusal costs speed alone. Whole pages only, so that the tail takes no memory it does not need.
      if byteCount >= Self.largeByteCount {
        _ = madvise(pointer, byteCount / Self.largePage * Self.largePage, MADV_HUGEPAGE)
      }
    #endif
    bytes = UnsafeMutableRawBufferPointer(start: pointer, count: byteCount)
    owner = .allocation
  }

  /// A whole mapped file, which is kept open for as long as the storage lives. It is never written.
  public init(mapping file: MappedFile) {
    bytes = UnsafeMutableRawBufferPointer(mutating: file.bytes)
    owner = .mapping(file)
  }

  deinit {
    if case .allocation = owner { free(bytes.baseAddress) }
  }

  public func copy(from offset: Int, to destination: UnsafeMutableRawBufferPointer) {
    destination.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + destination.count]))
  }
}
