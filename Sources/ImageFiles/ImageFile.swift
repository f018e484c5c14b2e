import MappedFiles

/// A picture: rows of red, green and blue, 8 bits each.
package struct Image: Sendable {
  package let width: Int
  package let height: Int
  package let pixels: [UInt8]

  package init(width: Int, height: Int, pixels: [UInt8]) {
    self.width = width
    self.height = height
    self.pixels = pixels
  }
}

/// What is wrong with an image: one line.
package struct ImageError: Error, Sendable, CustomStringConvertible {
  package let description: String
  package init(_ description: String) { self.description = description }
}

/// Reads PNG and JPEG files with the system's libraries, which are opened when the first file needs them.
package enum ImageFile {
  /// Bounds on a file and on what it may become in memory.
  package struct Limits: Sendable {
    package var fileBytes = 1 << 28
    package var pixels = 1 << 26
    package init() {}
  }

  /// Names of files that are taken for images.
  package static func isImage(_ name: String) -> Bool {
    guard let dot = name.lastIndex(of: ".") else { return false }
    return ["png", "jpg", "jpeg"].contains(name[name.index(after: dot)...].lowercased())
  }

  package static func read(
    _ path: String, limits: Limits = Limits()
  ) throws(ImageError) -> Image {
    let file: FileMapping
    do { file = try FileMapping(path: path) } catch {
      throw ImageError("image '\(path)' cannot be read: \(error.reason)")
    }
    defer { withExtendedLifetime(file) {} }
    let bytes = UnsafeRawBufferPointer(start: file.base, count: file.byteCount)
    guard bytes.count <= limits.fileBytes else {
      throw ImageError(
        "image '\(path)' has \(bytes.count) bytes, more than the limit of \(limits.fileBytes)")
    }
    do { return try decode(bytes, limits) } catch {
      throw ImageError("image '\(path)' \(error.description)")
    }
  }

  private static func decode(
    _ bytes: UnsafeRawBufferPointer, _ limits: Limits
  ) throws(ImageError) -> Image {
    if bytes.starts(with: [0xFF, 0xD8, 0xFF]) {
      return try JPEGLibrary.shared().decode(bytes, limits)
    }
    if bytes.starts(with: [0x89] + Array("PNG".utf8)) {
      return try PNGLibrary.shared().decode(bytes, limits)
    }
    throw ImageError("is neither PNG nor JPEG")
  }

  /// - Returns: how many pixels an image has.
  static func pixelCount(
    width: Int, height: Int, _ limits: Limits
  ) throws(ImageError) -> Int {
    let (count, overflow) = width.multipliedReportingOverflow(by: height)
    guard width > 0, height > 0, !overflow, count <= limits.pixels else {
      throw ImageError("has \(width) x \(height) pixels, the limit is \(limits.pixels)")
    }
    return count
  }
}
