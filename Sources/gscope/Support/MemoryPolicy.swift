import Foundation

/// How the process's allocator keeps memory.
enum MemoryPolicy {
  /// Has freed blocks of a megabyte and more given back to the system at once.
  ///
  /// glibc raises the size from which it does so, up to 32 MB, as soon as such blocks are freed. A run that frees large
  /// arrays between small ones that live long, as building an atlas does, then keeps hundreds of megabytes that it does
  /// not use: 473 MB against 121 MB over 16,000 tokens.
  static func returnLargeBlocks() {
    #if canImport(Glibc)
      // Swift's Glibc module leaves malloc.h out.
      typealias Function = @convention(c) (CInt, CInt) -> CInt
      guard let symbol = dlsym(dlopen(nil, RTLD_NOW), "mallopt") else { return }
      let mallopt = unsafeBitCast(symbol, to: Function.self)
      let (trimThreshold, mapThreshold): (CInt, CInt) = (-1, -3)
      for option in [trimThreshold, mapThreshold] { _ = mallopt(option, 1 << 20) }
    #endif
  }

  /// Gives back the pages of small blocks that were freed; without it they stay, scattered among those in use.
  static func returnFreedPages() {
    #if canImport(Glibc)
      typealias Function = @convention(c) (Int) -> CInt
      guard let symbol = dlsym(dlopen(nil, RTLD_NOW), "malloc_trim") else { return }
      _ = unsafeBitCast(symbol, to: Function.self)(0)
    #endif
  }
}
