/// Memory behind a tensor: on the host (`HostStorage`) or on a device (a backend's own type).
public protocol TensorStorage: AnyObject, Sendable {
  /// Bytes held.
  var byteCount: Int { get }
  /// Copies bytes `offset ..< offset + destination.count` to the host.
  /// - Throws: `TensorError` when the device cannot be read.
  func copy(from offset: Int, to destination: UnsafeMutableRawBufferPointer) throws
}
