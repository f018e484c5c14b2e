/// NumPy's files of one array.
///
/// Source: NumPy Enhancement Proposal 1, format versions 1.0, 2.0 and 3.0. Files are read in either byte
/// order and either order of axes; they are written little-endian and row-major.
package enum NPYFile {
  /// Reads a whole file.
  package static func read(
    _ path: String, limits: Limits = Limits()
  ) throws(NPYError) -> Tensor {
    let file = try NPYDescriptor(reading: path)
    let header = try header(of: file)
    try check(header, found: file.byteCount - file.position, path: path, limits: limits)
    var tensor = try allocate(header, path: path)
    try tensor.withUnsafeMutableBytes { bytes throws(NPYError) in
      try file.read(into: bytes)
      normalize(bytes, header)
    }
    return header.isFortranOrder ? try rowMajor(tensor, path: path) : tensor
  }

  /// The array that a file's bytes hold.
  ///
  /// - Parameter path: what messages call it.
  static func tensor(
    _ bytes: [UInt8], path: String, limits: Limits
  ) throws(NPYError) -> Tensor {
    let lengthSize = bytes.count > 6 && bytes[6] == 1 ? 2 : 4
    let begin = 8 + lengthSize
    guard bytes.count >= begin else { throw .malformed(path: path, reason: "it is cut short") }
    try checkStart(bytes, path: path)
    let length = bytes[8..<begin].reversed().reduce(0) { $0 << 8 | Int($1) }
    guard length <= bytes.count - begin else {
      throw .malformed(path: path, reason: "it is cut short")
    }
    let header = try header(Array(bytes[begin..<(begin + length)]), path: path)
    let start = begin + length
    try check(header, found: bytes.count - start, path: path, limits: limits)
    var tensor = try allocate(header, path: path)
    tensor.withUnsafeMutableBytes { target in
      target.copyBytes(from: bytes[start...])
      normalize(target, header)
    }
    return header.isFortranOrder ? try rowMajor(tensor, path: path) : tensor
  }

  /// Whether the elements that a header announces are there, and no more than allowed.
  private static func check(
    _ header: NPYHeader, found: Int, path: String, limits: Limits
  ) throws(NPYError) {
    guard let count = ShapeMath.elementCount(header.shape),
      case (let byteCount, false) = count.multipliedReportingOverflow(
        by: header.dataType.byteCount)
    else {
      throw .malformed(path: path, reason: "shape \(header.shape) is not that of an array")
    }
    guard byteCount <= limits.tensorBytes, header.shape.count <= limits.rank else {
      throw .exceedsLimit(path: path, reason: "\(TensorType(header.dataType, header.shape))")
    }
    guard found == byteCount else {
      throw .malformed(
        path: path,
        reason:
          "\(TensorType(header.dataType, header.shape)) takes \(byteCount) bytes, found \(found)")
    }
  }

  private static func header(of file: NPYDescriptor) throws(NPYError) -> NPYHeader {
    let start = try file.bytes(8)
    try checkStart(start, path: file.path)
    let lengthBytes = try file.bytes(start[6] == 1 ? 2 : 4)
    let length = lengthBytes.reversed().reduce(0) { $0 << 8 | Int($1) }
    guard length <= NPYHeader.maximumByteCount else {
      throw .malformed(path: file.path, reason: "its header of \(length) bytes is too long")
    }
    return try header(try file.bytes(length), path: file.path)
  }

  private static func checkStart(_ start: [UInt8], path: String) throws(NPYError) {
    guard start.starts(with: NPYHeader.magic) else {
      throw .malformed(path: path, reason: "it does not begin as a NumPy file does")
    }
    guard (1...3).contains(start[6]), start[7] == 0 else {
      throw .malformed(
        path: path, reason: "its version is \(start[6]).\(start[7]), expected 1.0, 2.0 or 3.0")
    }
  }

  private static func header(_ text: [UInt8], path: String) throws(NPYError) -> NPYHeader {
    do { return try NPYHeader(text) } catch {
      switch error {
      case .malformed(let reason): throw .malformed(path: path, reason: reason)
      case .type(let descriptor): throw .unsupportedType(path: path, type: descriptor)
      }
    }
  }

  private static func allocate(
    _ header: NPYHeader, path: String
  ) throws(NPYError) -> Tensor {
    do { return try Tensor(uninitialized: header.dataType, shape: header.shape) } catch {
      throw .exceedsLimit(path: path, reason: error.description)
    }
  }

  /// Brings elements into the machine's byte order, and booleans to 0 and 1.
  private static func normalize(_ bytes: UnsafeMutableRawBufferPointer, _ header: NPYHeader) {
    let width = header.dataType.byteCount
    if header.isSwapped, width > 1 {
      for start in stride(from: 0, to: bytes.count, by: width) {
        bytes[start..<(start + width)].reverse()
      }
    }
    if header.dataType == .bool {
      for index in bytes.indices where bytes[index] > 1 { bytes[index] = 1 }
    }
  }

  /// The elements of a tensor that were read first axis fastest, in our order.
  private static func rowMajor(_ tensor: Tensor, path: String) throws(NPYError) -> Tensor {
    let shape = tensor.shape
    guard shape.filter({ $0 != 1 }).count > 1, tensor.elementCount > 0 else { return tensor }
    var strides: [Int] = []
    var stride = tensor.dataType.byteCount
    for extent in shape {
      strides.append(stride)
      stride *= extent
    }
    var result: Tensor
    do { result = try Tensor(uninitialized: tensor.dataType, shape: shape) } catch {
      throw .exceedsLimit(path: path, reason: error.description)
    }
    let width = tensor.dataType.byteCount
    result.withUnsafeMutableBytes { target in
      tensor.withUnsafeBytes { source in
        var position = [Int](repeating: 0, count: shape.count)
        var offset = 0
        for start in Swift.stride(from: 0, to: target.count, by: width) {
          for byte in 0..<width { target[start + byte] = source[offset + byte] }
          for axis in shape.indices.reversed() {
            position[axis] += 1
            offset += strides[axis]
            guard position[axis] == shape[axis] else { break }
            offset -= strides[axis] * shape[axis]
            position[axis] = 0
          }
        }
      }
    }
    return result
  }
}

// MARK: - Writing

extension NPYFile {
  /// Writes a file under a temporary name beside its place, syncs it and renames it: whoever opens `path`
  /// sees the old file or the new one, whole.
  package static func write(_ tensor: Tensor, to path: String) throws(NPYError) {
    guard let header = NPYHeader.bytes(tensor.dataType, shape: tensor.shape) else {
      throw .unsupportedType(path: path, type: tensor.dataType.rawValue)
    }
    let file = try NPYDescriptor(replacing: path)
    try header.withUnsafeBytesOf { bytes throws(NPYError) in try file.write(bytes) }
    try tensor.withUnsafeBytes { bytes throws(NPYError) in try file.write(bytes) }
    try file.commit()
  }
}

extension [UInt8] {
  /// `withUnsafeBytes` with a typed error.
  fileprivate func withUnsafeBytesOf(
    _ body: (UnsafeRawBufferPointer) throws(NPYError) -> Void
  ) throws(NPYError) {
    try withUnsafeBytes { bytes in
      Result { () throws(NPYError) in try body(bytes) }
    }.get()
  }
}

/// What is wrong with a NumPy file: one line.
package enum NPYError: Error, Sendable, Equatable {
  /// The file cannot be opened or read.
  case unreadable(path: String, reason: String)
  /// The file cannot be written.
  case unwritable(path: String, reason: String)
  /// The bytes are not those of a NumPy file.
  case malformed(path: String, reason: String)
  /// The elements are of a type that tensors, or NumPy files, do not have.
  case unsupportedType(path: String, type: String)
  /// The array is larger than `Limits` allows.
  case exceedsLimit(path: String, reason: String)
}

extension NPYError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .unreadable(let path, let reason): "\(path): cannot be read: \(reason)"
    case .unwritable(let path, let reason): "\(path): cannot be written: \(reason)"
    case .malformed(let path, let reason): "\(path): not a NumPy array: \(reason)"
    case .unsupportedType(let path, let type):
      "\(path): element type '\(type)' is not supported, expected bool, integers of 8 to 64 bits or floats of 16 to 64"
    case .exceedsLimit(let path, let reason): "\(path): too large: \(reason)"
    }
  }
}
