#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// Bytes shared by tensors, aligned for the widest vector and for pages of weights.
///
/// `@unchecked Sendable`: the bytes are written only by a holder that has checked that it is the only
/// one (`isKnownUniquelyReferenced`), or before the storage is shared.
package final class TensorStorage: @unchecked Sendable {
  package let base: UnsafeMutableRawPointer
  package let byteCount: Int
  /// Whether the bytes may be written; a mapped file's may not.
  package let isWritable: Bool
  private let release: () -> Void

  package static let alignment = 64

  /// Uninitialised bytes; nil where the system has no memory for them.
  package init?(byteCount: Int) {
    guard byteCount >= 0, byteCount < Int.max - 2 * Self.alignment else { return nil }
    var pointer: UnsafeMutableRawPointer?
    let rounded = (max(byteCount, 1) + Self.alignment - 1) & ~(Self.alignment - 1)
    guard posix_memalign(&pointer, Self.alignment, rounded) == 0, let pointer else { return nil }
    base = pointer
    self.byteCount = byteCount
    isWritable = true
    release = { free(pointer) }
  }

  /// Bytes that belong to somebody else, who is told by `release` when they are no longer read.
  package init(
    base: UnsafeMutableRawPointer, byteCount: Int, isWritable: Bool,
    release: @escaping @Sendable () -> Void
  ) {
    self.base = base
    self.byteCount = byteCount
    self.isWritable = isWritable
    self.release = release
  }

  deinit { release() }

  /// Lets the system forget what it has read of a mapped file; it is read again where it is needed.
  package func discardPages() {
    #if canImport(Glibc)
      if !isWritable { madvise(base, byteCount, MADV_DONTNEED) }
    #endif
  }
}
