#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// An open file, closed when this object goes; one that was to replace another and was not committed
/// leaves nothing behind.
final class NPYDescriptor {
  let path: String
  let byteCount: Int
  private(set) var position = 0
  private let descriptor: Int32
  /// Where the bytes are until `commit()`.
  private var temporaryPath: String?

  init(reading path: String) throws(NPYError) {
    self.path = path
    descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .unreadable(path: path, reason: Self.systemError) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
      let size = Int(exactly: status.st_size)
    else {
      close(descriptor)
      throw .unreadable(path: path, reason: "it is not a regular file")
    }
    byteCount = size
  }

  /// A new file that takes the place of `path` when it is committed.
  init(replacing path: String) throws(NPYError) {
    self.path = path
    byteCount = 0
    var temporary = ""
    var opened: Int32 = -1
    for _ in 0..<16 where opened < 0 {
      temporary = "\(path).\(String(UInt32.random(in: 0 ... .max), radix: 36)).part"
      opened = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
      if opened < 0, errno != EEXIST { break }
    }
    descriptor = opened
    guard opened >= 0 else { throw .unwritable(path: path, reason: Self.systemError) }
    temporaryPath = temporary
  }

  deinit {
    if descriptor >= 0 { close(descriptor) }
    if let temporaryPath { unlink(temporaryPath) }
  }

  private static var systemError: String { String(cString: strerror(errno)) }

  /// The system copies no more than this at once.
  private static let chunk = 1 << 30

  func read(into bytes: UnsafeMutableRawBufferPointer) throws(NPYError) {
    var rest = bytes[...]
    while let start = UnsafeMutableRawBufferPointer(rebasing: rest).baseAddress, !rest.isEmpty {
      let count = systemRead(descriptor, start, min(rest.count, Self.chunk))
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw .unreadable(path: path, reason: Self.systemError) }
      guard count > 0 else { throw .malformed(path: path, reason: "it is cut short") }
      rest = rest.dropFirst(count)
      position += count
    }
  }

  /// The next bytes.
  func bytes(_ count: Int) throws(NPYError) -> [UInt8] {
    guard count <= byteCount - position else {
      throw .malformed(path: path, reason: "it is cut short")
    }
    var result = [UInt8](repeating: 0, count: count)
    try result.withUnsafeMutableBytes { bytes in
      Result { () throws(NPYError) in try read(into: bytes) }
    }.get()
    return result
  }

  func write(_ bytes: UnsafeRawBufferPointer) throws(NPYError) {
    var rest = bytes[...]
    while let start = UnsafeRawBufferPointer(rebasing: rest).baseAddress, !rest.isEmpty {
      let count = systemWrite(descriptor, start, min(rest.count, Self.chunk))
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw .unwritable(path: path, reason: Self.systemError) }
      rest = rest.dropFirst(count)
    }
  }

  /// Puts the file in its place.
  func commit() throws(NPYError) {
    guard let temporaryPath, fsync(descriptor) == 0, rename(temporaryPath, path) == 0 else {
      throw .unwritable(path: path, reason: Self.systemError)
    }
    self.temporaryPath = nil
    let folder =
      path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    let directory = open(folder, O_RDONLY | O_CLOEXEC)
    if directory >= 0 {
      fsync(directory)
      close(directory)
    }
  }
}

private func systemRead(_ file: Int32, _ bytes: UnsafeMutableRawPointer, _ count: Int) -> Int {
  read(file, bytes, count)
}

private func systemWrite(_ file: Int32, _ bytes: UnsafeRawPointer, _ count: Int) -> Int {
  write(file, bytes, count)
}
