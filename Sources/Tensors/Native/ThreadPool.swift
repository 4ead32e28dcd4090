import CKernels

/// The worker threads of a `NativeBackend`, created once and ended with it.
final class ThreadPool: @unchecked Sendable {
  // Safe to share: the C pool serialises its callers.
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
