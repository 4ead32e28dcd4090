import CKernels

/// The worker threads of a `NativeBackend`, created once and ended with it. Safe to share, which the compiler cannot
/// see of a C pointer: it never changes, and the C pool serialises its callers.
final class ThreadPool: @unchecked Sendable {
  let pointer: OpaquePointer
  let threads: Int

  init(threads: Int) throws {
    guard threads >= 1, let pool = gs_pool_create(Int32(clamping: threads)) else {
      throw TensorError.unavailable("cannot start \(threads) threads")
    }
    pointer = pool
    self.threads = threads
  }

  deinit { gs_pool_destroy(pointer) }
}
