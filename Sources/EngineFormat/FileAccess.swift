import Foundation
import TensorModel

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// What the system says of a file.
struct FileAccessError: Error, CustomStringConvertible {
  var description: String

  init(_ description: String) { self.description = description }
  /// The reason of the last failed call.
  init() { description = String(cString: strerror(errno)) }
}

/// A file in memory, read only.
enum MappedFile {
  static func map(_ path: String, limit: Int) throws(FileAccessError) -> TensorStorage {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw FileAccessError() }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw FileAccessError() }
    guard status.st_mode & S_IFMT == S_IFREG else { throw FileAccessError("it is not a file") }
    let count = Int(status.st_size)
    guard count > 0 else { throw FileAccessError("it is empty") }
    guard count <= limit else {
      throw FileAccessError("\(count) bytes are more than the limit of \(limit)")
    }
    guard let base = mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0), base != MAP_FAILED
    else {
      throw FileAccessError()
    }
    let address = UInt(bitPattern: base)
    return TensorStorage(base: base, byteCount: count, isWritable: false) {
      _ = UnsafeMutableRawPointer(bitPattern: address).map { munmap($0, count) }
    }
  }
}

/// A file that is there whole or not at all.
enum AtomicFile {
  static func write(_ data: Data, to path: String) throws(FileAccessError) {
    let temporary = "\(path).\(getpid()).part"
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw FileAccessError() }
    do {
      defer { close(descriptor) }
      try write(data, to: descriptor)
      guard fsync(descriptor) == 0 else { throw FileAccessError() }
    } catch {
      unlink(temporary)
      throw error as? FileAccessError ?? FileAccessError("\(error)")
    }
    guard rename(temporary, path) == 0 else {
      let failure = FileAccessError()
      unlink(temporary)
      throw failure
    }
  }

  private static func write(_ data: Data, to descriptor: Int32) throws(FileAccessError) {
    var written = 0
    while written < data.count {
      let count = data.withUnsafeBytes { bytes -> Int in
        guard let base = bytes.baseAddress else { return 0 }
        #if canImport(Glibc)
          return Glibc.write(descriptor, base + written, min(data.count - written, 1 << 30))
        #else
          return Darwin.write(descriptor, base + written, min(data.count - written, 1 << 30))
        #endif
      }
      guard count > 0 else { throw FileAccessError() }
      written += count
    }
  }
}
