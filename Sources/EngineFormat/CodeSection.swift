import Foundation

/// The bytes of a code section: what a device class has compiled, by key.
///
///     u32 bytes of the device class, the class in UTF-8, u32 count, then for each entry, by ascending key:
///     u32 bytes of the key, the key in UTF-8, u64 bytes of the code, the code
struct CodeSection {
  var deviceClass: String
  var code: [String: [UInt8]]

  func encoded() -> Data {
    var data = Data()
    func append(_ text: String) {
      data.append(integer: UInt32(text.utf8.count))
      data.append(contentsOf: text.utf8)
    }
    append(deviceClass)
    data.append(integer: UInt32(code.count))
    for (key, bytes) in code.sorted(by: { $0.key < $1.key }) {
      append(key)
      data.append(integer: UInt64(bytes.count))
      data.append(contentsOf: bytes)
    }
    return data
  }

  /// Nil for bytes that are no code section.
  init?(_ bytes: UnsafeRawBufferPointer) {
    var reader = BoundedReader(bytes: bytes)
    guard let deviceClass = reader.text(), let count = reader.integer(UInt32.self) else {
      return nil
    }
    self.deviceClass = deviceClass
    code = [:]
    for _ in 0..<count {
      guard let key = reader.text(), let length = reader.integer(UInt64.self),
        let part = reader.bytes(length)
      else { return nil }
      code[key] = Array(part)
    }
    guard reader.isAtEnd else { return nil }
  }

  init(deviceClass: String, code: [String: [UInt8]]) {
    self.deviceClass = deviceClass
    self.code = code
  }
}

/// Reads numbers and runs of bytes, never beyond the end.
private struct BoundedReader {
  let bytes: UnsafeRawBufferPointer
  private var position = 0

  init(bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  var isAtEnd: Bool { position == bytes.count }

  mutating func integer<T: FixedWidthInteger>(_ type: T.Type) -> T? {
    let size = MemoryLayout<T>.size
    guard bytes.count - position >= size else { return nil }
    defer { position += size }
    return T(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: T.self))
  }

  mutating func bytes(_ count: some FixedWidthInteger) -> UnsafeRawBufferPointer? {
    guard let count = Int(exactly: count), count >= 0, bytes.count - position >= count else {
      return nil
    }
    defer { position += count }
    return UnsafeRawBufferPointer(rebasing: bytes[position..<(position + count)])
  }

  mutating func text() -> String? {
    guard let length = integer(UInt32.self), let part = bytes(length) else { return nil }
    return String(decoding: part, as: UTF8.self)
  }
}

extension Data {
  mutating func append(integer number: some FixedWidthInteger) {
    Swift.withUnsafeBytes(of: number.littleEndian) { append(contentsOf: $0) }
  }
}
