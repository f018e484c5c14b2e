import MappedFiles
import SwiftProtobuf
import TensorFlowFormat
import TensorModel

/// The variables of a saved model: an index of names, and shards with their elements.
///
/// Elements stay in the mapped files. The checksum of a tensor is checked when it is first asked for.
final class TensorBundle {
  private let prefix: String
  private let limits: Limits
  private let shardCount: Int
  let entries: [String: Tensorflow_BundleEntryProto]
  private var shards: [Int: TensorStorage] = [:]
  private var tensors: [String: Tensor] = [:]

  /// Smaller tensors are not worth the call.
  private static let discardedBytes = 1 << 20

  /// - Parameter prefix: the path of the files without `.index` and `.data-...`.
  init(prefix: String, limits: Limits) throws(TensorFlowImportError) {
    self.prefix = prefix
    self.limits = limits
    let path = prefix + ".index"
    let mapping = try Self.map(path)
    guard mapping.byteCount <= min(limits.fileBytes, 1 << 30) else {
      throw .exceedsLimit(
        what: "bytes of \(path)", found: mapping.byteCount, limit: min(limits.fileBytes, 1 << 30))
    }
    let bytes = [UInt8](UnsafeRawBufferPointer(start: mapping.base, count: mapping.byteCount))
    withExtendedLifetime(mapping) {}
    let list: [LevelDBTable.Entry]
    do { list = try LevelDBTable.entries(bytes) } catch {
      throw .malformed(path: path, reason: error.reason)
    }
    guard let first = list.first, first.key.isEmpty else {
      throw .malformed(path: path, reason: "it has no header")
    }
    let header: Tensorflow_BundleHeaderProto = try Self.decode(first.value, path)
    guard header.endianness == .little, header.numShards >= 0 else {
      throw .malformed(path: path, reason: "its numbers are big-endian, which is not supported")
    }
    shardCount = Int(header.numShards)
    var entries: [String: Tensorflow_BundleEntryProto] = [:]
    for item in list.dropFirst() {
      let name = String(decoding: item.key, as: UTF8.self)
      entries[name] = try Self.decode(item.value, path)
    }
    self.entries = entries
  }

  private static func decode<Message: SwiftProtobuf.Message>(
    _ bytes: [UInt8], _ path: String
  ) throws(TensorFlowImportError) -> Message {
    do { return try Message(serializedBytes: bytes) } catch {
      throw .malformed(path: path, reason: "an entry of it is no protocol buffer")
    }
  }

  private static func map(_ path: String) throws(TensorFlowImportError) -> FileMapping {
    do { return try FileMapping(path: path) } catch {
      throw .unreadable(path: path, reason: error.reason)
    }
  }

  /// The elements of a variable.
  func tensor(_ key: String) throws(TensorFlowImportError) -> Tensor {
    if let known = tensors[key] { return known }
    guard let entry = entries[key] else {
      throw .variable(name: key, reason: "the checkpoint has no such entry")
    }
    guard entry.slices.isEmpty else {
      throw .variable(name: key, reason: "it is partitioned; export the model without partitions")
    }
    guard let type = entry.dtype.dataType, type != .string else {
      throw .variable(name: key, reason: "its type \(entry.dtype.name) is not supported")
    }
    guard let shape = try entry.shape.extents(of: key, limits: limits),
      let count = ShapeMath.elementCount(shape),
      case (let size, false) = count.multipliedReportingOverflow(by: type.byteCount)
    else { throw .variable(name: key, reason: "its shape is not that of a tensor") }
    guard size <= limits.tensorBytes else {
      throw .exceedsLimit(
        what: "bytes of variable '\(key)'", found: size, limit: limits.tensorBytes)
    }
    guard Int64(size) == entry.size else {
      throw .variable(name: key, reason: "it has \(entry.size) bytes, its shape needs \(size)")
    }
    let (storage, offset) = try extent(of: entry, key)
    let bytes = UnsafeRawBufferPointer(start: storage.base + offset, count: size)
    guard CRC32C.masked(CRC32C.checksum(bytes)) == entry.crc32C else {
      throw .variable(name: key, reason: "its checksum in \(shardPath(entry)) is wrong")
    }
    let tensor = try Self.make(type, shape, storage, offset, bytes, key)
    // What was read for the checksum need not stay in memory until it is used.
    if size >= Self.discardedBytes { storage.discardPages() }
    tensors[key] = tensor
    return tensor
  }

  private static func make(
    _ type: TensorModel.DataType, _ shape: [Int], _ storage: TensorStorage, _ offset: Int,
    _ bytes: UnsafeRawBufferPointer, _ key: String
  ) throws(TensorFlowImportError) -> Tensor {
    do {
      let alignment = min(max(type.byteCount, 1), 8)
      if type != .bool, Int(bitPattern: storage.base + offset) % alignment == 0 {
        return try Tensor(dataType: type, shape: shape, storage: storage, byteOffset: offset)
      }
      var tensor = try Tensor(uninitialized: type, shape: shape)
      tensor.withUnsafeMutableBytes { target in
        target.copyBytes(from: bytes)
        if type == .bool {
          for index in target.indices where target[index] > 1 { target[index] = 1 }
        }
      }
      withExtendedLifetime(storage) {}
      return tensor
    } catch { throw .variable(name: key, reason: error.description) }
  }

  /// Where the bytes of an entry lie.
  private func extent(
    of entry: Tensorflow_BundleEntryProto, _ key: String
  ) throws(TensorFlowImportError) -> (TensorStorage, Int) {
    let shard = try shard(entry, key)
    guard let offset = Int(exactly: entry.offset), let size = Int(exactly: entry.size), offset >= 0,
      size >= 0, size <= shard.byteCount, offset <= shard.byteCount - size
    else {
      throw .variable(
        name: key,
        reason: "\(shardPath(entry)) has \(shard.byteCount) bytes, \(entry.size) are needed at "
          + "\(entry.offset)")
    }
    return (shard, offset)
  }

  private func shardPath(_ entry: Tensorflow_BundleEntryProto) -> String {
    func padded(_ number: Int) -> String {
      let text = "\(number)"
      return String(repeating: "0", count: max(5 - text.count, 0)) + text
    }
    return "\(prefix).data-\(padded(Int(entry.shardID)))-of-\(padded(shardCount))"
  }

  private func shard(
    _ entry: Tensorflow_BundleEntryProto, _ key: String
  ) throws(TensorFlowImportError) -> TensorStorage {
    let number = Int(entry.shardID)
    if let known = shards[number] { return known }
    guard (0..<max(shardCount, 1)).contains(number) else {
      throw .variable(name: key, reason: "it lies in shard \(number) of \(shardCount)")
    }
    let path = shardPath(entry)
    let mapping = try Self.map(path)
    guard mapping.byteCount <= limits.fileBytes else {
      throw .exceedsLimit(
        what: "bytes of \(path)", found: mapping.byteCount, limit: limits.fileBytes)
    }
    let storage = TensorStorage(
      base: mapping.base, byteCount: mapping.byteCount, isWritable: false,
      release: { withExtendedLifetime(mapping) {} })
    shards[number] = storage
    return storage
  }
}

extension TensorBundle {
  /// The bytes of an entry that is one string: its length, a checksum of that, then the bytes. The entry's
  /// own checksum runs over the length as a number of four bytes, the checksum, and the bytes.
  func text(_ key: String) throws(TensorFlowImportError) -> [UInt8]? {
    guard let entry = entries[key] else { return nil }
    let (storage, offset) = try extent(of: entry, key)
    let bytes = [UInt8](
      UnsafeRawBufferPointer(start: storage.base + offset, count: Int(entry.size)))
    withExtendedLifetime(storage) {}
    let damaged = TensorFlowImportError.variable(name: key, reason: "it is damaged")
    var reader = ByteReader(bytes[...])
    guard entry.dtype == .dtString, let length = reader.varint(),
      let narrow = UInt32(exactly: length), let check = reader.take(4),
      let content = reader.take(length), reader.isAtEnd
    else { throw damaged }
    let prefix = (0..<4).map { UInt8(truncatingIfNeeded: narrow >> UInt32(8 * $0)) }
    guard CRC32C.masked(CRC32C.checksum(prefix + check + content)) == entry.crc32C else {
      throw .variable(name: key, reason: "its checksum in \(shardPath(entry)) is wrong")
    }
    return Array(content)
  }
}
