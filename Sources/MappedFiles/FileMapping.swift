#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// A file in memory, read-only, for as long as this object lives.
///
/// `@unchecked Sendable`: the bytes are never written.
package final class FileMapping: @unchecked Sendable {
  package let base: UnsafeMutableRawPointer
  package let byteCount: Int

  /// What kept a file from being mapped; the text is the system's or one line of ours.
  package struct Failure: Error {
    package var reason: String
    package var isDirectory = false

    package init(reason: String, isDirectory: Bool = false) {
      self.reason = reason
      self.isDirectory = isDirectory
    }
  }

  /// - Parameter followsLinks: whether the last part of the path may be a symbolic link.
  package init(path: String, followsLinks: Bool = true) throws(Failure) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | (followsLinks ? 0 : O_NOFOLLOW))
    guard descriptor >= 0 else { throw Failure(reason: String(cString: strerror(errno))) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      throw Failure(reason: String(cString: strerror(errno)))
    }
    guard status.st_mode & S_IFMT != S_IFDIR else {
      throw Failure(reason: "it is a folder", isDirectory: true)
    }
    guard status.st_mode & S_IFMT == S_IFREG, let size = Int(exactly: status.st_size) else {
      throw Failure(reason: "it is not a regular file")
    }
    byteCount = size
    // An empty file cannot be mapped; one byte that nobody reads stands for it.
    let mapped =
      size == 0
      ? mmap(nil, 1, PROT_READ, MAP_PRIVATE | MAP_ANON, -1, 0)
      : mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0)
    guard let mapped, mapped != MAP_FAILED else {
      throw Failure(reason: String(cString: strerror(errno)))
    }
    base = mapped
  }

  deinit { munmap(base, max(byteCount, 1)) }
}

extension FileMapping {
  /// The names in a folder; nil where the path is not a folder that can be read.
  package static func entries(ofDirectory path: String) -> [String]? {
    guard let directory = opendir(path) else { return nil }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names
  }
}
