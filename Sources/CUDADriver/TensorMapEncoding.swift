extension GPU {
  /// A tensor map of boxes: 128 bytes.
  ///
  /// - Parameters:
  ///   - type: `CUtensorMapDataType`.
  ///   - extents: innermost first; `strides` in bytes, without the innermost.
  package func tensorMap(
    type: Int32, address: UInt64, extents: [Int], strides: [Int], box: [Int],
    elementStrides: [Int], swizzle: Int32
  ) throws(CUDAError) -> [UInt64] {
    try encode { map in
      driver.functions.encodeTiled(
        map, type, UInt32(extents.count), address, extents.map { UInt64($0) },
        strides.map { UInt64($0) }, box.map { UInt32($0) }, elementStrides.map { UInt32($0) }, 0,
        swizzle, Self.promotion, 0)
    }
  }

  /// A tensor map of the pixels under a convolution's window: 128 bytes.
  package func tensorMap(
    type: Int32, address: UInt64, extents: [Int], strides: [Int], lower: [Int], upper: [Int],
    channels: Int, pixels: Int, elementStrides: [Int], swizzle: Int32
  ) throws(CUDAError) -> [UInt64] {
    var words = try encode { map in
      driver.functions.encodeIm2col(
        map, type, UInt32(extents.count), address, extents.map { UInt64($0) },
        strides.map { UInt64($0) }, lower.map { Int32($0) }, upper.map { Int32($0) },
        UInt32(channels), UInt32(pixels), elementStrides.map { UInt32($0) }, 0, swizzle,
        Self.promotion, 0)
    }
    // Drivers up to CUDA 13.1 set a wrong bit for tensors under 128 KiB.
    let bytes = (strides.last ?? 0) * (extents.last ?? 0)
    if driver.version <= 13010, bytes < 128 << 10 { words[1] &= ~(1 << 21) }
    return words
  }

  /// Whole lines of 256 bytes come into the L2 cache.
  private static let promotion: Int32 = 3

  private func encode(_ body: (UnsafeMutableRawPointer) -> Int32) throws(CUDAError) -> [UInt64] {
    let memory = UnsafeMutableRawPointer.allocate(byteCount: 128, alignment: 64)
    defer { memory.deallocate() }
    memory.initializeMemory(as: UInt8.self, repeating: 0, count: 128)
    try check(body(memory), "cuTensorMapEncode")
    return (0..<16).map { memory.load(fromByteOffset: $0 * 8, as: UInt64.self) }
  }
}
