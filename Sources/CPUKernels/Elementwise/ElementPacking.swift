import CPUKernelInterface

/// Moves rows and columns of elements between memory and the lanes of registers.
enum ElementPacking {
  /// Packs elements one row after the other.
  static func pack(
    _ source: BlockOperand, _ format: ElementFormat, rows: Int, columns: Int,
    into target: UnsafeMutableRawPointer
  ) {
    switch format {
    case .float32, .int32: pack32(source, rows, columns, target)
    case .int64: pack(source, rows, columns, target) { (x: Int64) -> Int64 in x }
    case .float16, .bfloat16: packNarrow(source, format, rows, columns, target)
    case .int16: pack(source, rows, columns, target) { (x: Int16) -> Int32 in Int32(x) }
    case .uint16: pack(source, rows, columns, target) { (x: UInt16) -> Int32 in Int32(x) }
    case .int8: pack(source, rows, columns, target) { (x: Int8) -> Int32 in Int32(x) }
    case .uint8: pack(source, rows, columns, target) { (x: UInt8) -> Int32 in Int32(x) }
    case .bool: pack(source, rows, columns, target) { (x: UInt8) -> Int32 in x == 0 ? 0 : -1 }
    }
  }

  private static func pack32(
    _ source: BlockOperand, _ rows: Int, _ columns: Int, _ target: UnsafeMutableRawPointer
  ) {
    if source.columnStride == 1 {
      for row in 0..<rows {
        let from = source.address + row * source.rowStride * 4
        (target + row * columns * 4).copyMemory(from: from, byteCount: columns * 4)
      }
    } else if source.rowStride == 1, rows > 1 {
      // Neighbours in memory are read one after the other.
      let from = source.address.assumingMemoryBound(to: Int32.self)
      let to = target.assumingMemoryBound(to: Int32.self)
      for column in 0..<columns {
        let line = from + column * source.columnStride
        for row in 0..<rows { to[row * columns + column] = line[row] }
      }
    } else {
      pack(source, rows, columns, target) { (x: Int32) -> Int32 in x }
    }
  }

  private static func packNarrow(
    _ source: BlockOperand, _ format: ElementFormat, _ rows: Int, _ columns: Int,
    _ target: UnsafeMutableRawPointer
  ) {
    if source.columnStride == 1 {
      for row in 0..<rows {
        NumberConversion.widen(
          source.address + row * source.rowStride * 2, format,
          target.assumingMemoryBound(to: Float.self) + row * columns, columns)
      }
    } else if format == .float16 {
      pack(source, rows, columns, target) { (x: UInt16) -> Float in SmallFloats.float16(x) }
    } else {
      pack(source, rows, columns, target) { (x: UInt16) -> Float in SmallFloats.bfloat16(x) }
    }
  }

  @inline(__always)
  private static func pack<Element: BitwiseCopyable, Lane: BitwiseCopyable>(
    _ source: BlockOperand, _ rows: Int, _ columns: Int, _ target: UnsafeMutableRawPointer,
    _ convert: (Element) -> Lane
  ) {
    let to = target.assumingMemoryBound(to: Lane.self)
    let from = source.address.assumingMemoryBound(to: Element.self)
    for row in 0..<rows {
      let line = from + row * source.rowStride
      let place = to + row * columns
      if source.columnStride == 1 {
        for column in 0..<columns { place[column] = convert(line[column]) }
      } else if source.columnStride == 0 {
        let value = convert(line[0])
        for column in 0..<columns { place[column] = value }
      } else {
        for column in 0..<columns { place[column] = convert(line[column * source.columnStride]) }
      }
    }
  }

  /// Stores lanes that lie one row after the other.
  static func unpack(
    _ source: UnsafeMutableRawPointer, _ format: ElementFormat, rows: Int, columns: Int,
    to target: BlockOperand
  ) {
    switch format {
    case .float32, .int32: unpack(source, rows, columns, target) { (x: Int32) -> Int32 in x }
    case .int64: unpack(source, rows, columns, target) { (x: Int64) -> Int64 in x }
    case .float16, .bfloat16: unpackNarrow(source, format, rows, columns, target)
    case .int16, .uint16:
      unpack(source, rows, columns, target) { (x: Int32) -> Int16 in Int16(truncatingIfNeeded: x) }
    case .int8, .uint8:
      unpack(source, rows, columns, target) { (x: Int32) -> Int8 in Int8(truncatingIfNeeded: x) }
    case .bool: unpack(source, rows, columns, target) { (x: Int32) -> UInt8 in UInt8(x & 1) }
    }
  }

  private static func unpackNarrow(
    _ source: UnsafeMutableRawPointer, _ format: ElementFormat, _ rows: Int, _ columns: Int,
    _ target: BlockOperand
  ) {
    if target.columnStride == 1 {
      for row in 0..<rows {
        NumberConversion.narrow(
          source.assumingMemoryBound(to: Float.self) + row * columns,
          target.address + row * target.rowStride * 2, format, columns)
      }
    } else if format == .float16 {
      unpack(source, rows, columns, target) { (x: Float) -> UInt16 in SmallFloats.bits16(x) }
    } else {
      unpack(source, rows, columns, target) { (x: Float) -> UInt16 in SmallFloats.brainBits(x) }
    }
  }

  @inline(__always)
  private static func unpack<Element: BitwiseCopyable, Lane: BitwiseCopyable>(
    _ source: UnsafeMutableRawPointer, _ rows: Int, _ columns: Int, _ target: BlockOperand,
    _ convert: (Lane) -> Element
  ) {
    let from = source.assumingMemoryBound(to: Lane.self)
    let to = target.address.assumingMemoryBound(to: Element.self)
    for row in 0..<rows {
      let line = from + row * columns
      let place = to + row * target.rowStride
      if target.columnStride == 1 {
        for column in 0..<columns { place[column] = convert(line[column]) }
      } else {
        for column in 0..<columns { place[column * target.columnStride] = convert(line[column]) }
      }
    }
  }
}

/// Numbers of 16 bits.
enum SmallFloats {
  @inline(__always)
  static func float16(_ bits: UInt16) -> Float {
    #if os(macOS) && arch(x86_64)
      let sign = UInt32(bits & 0x8000) << 16
      // The exponent moved to its place is 112 too small; a product makes that good, also for subnormals.
      let magnitude = Float(bitPattern: UInt32(bits & 0x7FFF) << 13) * 0x1p112
      let value =
        bits & 0x7C00 == 0x7C00 ? Float(bitPattern: magnitude.bitPattern | 0x7F80_0000) : magnitude
      return Float(bitPattern: value.bitPattern | sign)
    #else
      Float(Float16(bitPattern: bits))
    #endif
  }

  @inline(__always)
  static func bits16(_ value: Float) -> UInt16 {
    #if os(macOS) && arch(x86_64)
      let sign = UInt16(truncatingIfNeeded: value.bitPattern >> 16) & 0x8000
      let size = value.magnitude
      if size != size { return sign | 0x7E00 }
      if size >= 65520 { return sign | 0x7C00 }
      // Adding a power of two leaves as many bits as the result has.
      let exponent = max(size.bitPattern >> 23, 113)
      let unit = Float(bitPattern: (exponent + 13) << 23)
      let rounded = (size + unit) - unit
      return sign | UInt16(truncatingIfNeeded: (rounded * 0x1p-112).bitPattern >> 13)
    #else
      Float16(value).bitPattern
    #endif
  }

  @inline(__always)
  static func bfloat16(_ bits: UInt16) -> Float { Float(bitPattern: UInt32(bits) << 16) }

  @inline(__always)
  static func brainBits(_ value: Float) -> UInt16 {
    let bits = value.bitPattern
    if value != value { return UInt16(truncatingIfNeeded: bits >> 16) | 0x40 }
    return UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ ((bits >> 16) & 1)) >> 16)
  }
}
