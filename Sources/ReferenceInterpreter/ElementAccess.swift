import TensorModel

/// Reads and writes runs of elements of any real type.
enum ElementAccess {
  /// Elements of a floating-point type at `offset`, `offset + stride`, ...
  static func read(
    _ base: UnsafeRawPointer, _ dataType: DataType, offset: Int, stride: Int, count: Int,
    into target: UnsafeMutablePointer<Double>
  ) {
    switch dataType {
    case .float32:
      copy(base, Float.self, offset, stride, count, target) { Double($0) }
    case .float64:
      copy(base, Double.self, offset, stride, count, target) { $0 }
    case .float16, .bfloat16:
      SmallFloatTable.table(dataType).withUnsafeBufferPointer { table in
        copy(base, UInt16.self, offset, stride, count, target) { table[Int($0)] }
      }
    default:
      SmallFloatTable.table(dataType).withUnsafeBufferPointer { table in
        copy(base, UInt8.self, offset, stride, count, target) { table[Int($0)] }
      }
    }
  }

  /// Elements of an integer type or `bool` at `offset`, `offset + stride`, ...
  static func read(
    _ base: UnsafeRawPointer, _ dataType: DataType, offset: Int, stride: Int, count: Int,
    into target: UnsafeMutablePointer<Int64>
  ) {
    switch dataType {
    case .int64, .uint64: copy(base, Int64.self, offset, stride, count, target) { $0 }
    case .int32: copy(base, Int32.self, offset, stride, count, target) { Int64($0) }
    case .uint32: copy(base, UInt32.self, offset, stride, count, target) { Int64($0) }
    case .int16: copy(base, Int16.self, offset, stride, count, target) { Int64($0) }
    case .uint16: copy(base, UInt16.self, offset, stride, count, target) { Int64($0) }
    case .int8, .int4, .int2: copy(base, Int8.self, offset, stride, count, target) { Int64($0) }
    case .bool: copy(base, UInt8.self, offset, stride, count, target) { $0 == 0 ? 0 : 1 }
    default: copy(base, UInt8.self, offset, stride, count, target) { Int64($0) }
    }
  }

  @inline(__always)
  private static func copy<Source: BitwiseCopyable, Target>(
    _ base: UnsafeRawPointer, _ type: Source.Type, _ offset: Int, _ stride: Int, _ count: Int,
    _ target: UnsafeMutablePointer<Target>, _ convert: (Source) -> Target
  ) {
    let source = base.assumingMemoryBound(to: Source.self) + offset
    switch stride {
    case 0:
      let value = convert(source[0])
      for i in 0..<count { target[i] = value }
    case 1:
      for i in 0..<count { target[i] = convert(source[i]) }
    default:
      for i in 0..<count { target[i] = convert(source[i * stride]) }
    }
  }

  /// Stores numbers as a floating-point type, rounded to nearest even.
  static func write(
    _ source: UnsafePointer<Double>, count: Int, to base: UnsafeMutableRawPointer,
    _ dataType: DataType, at offset: Int
  ) {
    switch dataType {
    case .float32: store(source, count, base, offset) { Float($0) }
    case .float64: store(source, count, base, offset) { $0 }
    case .float16, .bfloat16:
      store(source, count, base, offset) { SmallFloat.encode($0, dataType) }
    default:
      store(source, count, base, offset) {
        UInt8(truncatingIfNeeded: SmallFloat.encode($0, dataType))
      }
    }
  }

  /// Stores integers wrapped to a type.
  static func write(
    _ source: UnsafePointer<Int64>, count: Int, to base: UnsafeMutableRawPointer,
    _ dataType: DataType, at offset: Int
  ) {
    switch dataType {
    case .int64, .uint64: store(source, count, base, offset) { $0 }
    case .int32, .uint32: store(source, count, base, offset) { Int32(truncatingIfNeeded: $0) }
    case .int16, .uint16: store(source, count, base, offset) { Int16(truncatingIfNeeded: $0) }
    default:
      store(source, count, base, offset) {
        Int8(truncatingIfNeeded: Conversion.wrapped($0, dataType))
      }
    }
  }

  @inline(__always)
  private static func store<Source, Target: BitwiseCopyable>(
    _ source: UnsafePointer<Source>, _ count: Int, _ base: UnsafeMutableRawPointer, _ offset: Int,
    _ convert: (Source) -> Target
  ) {
    let target = base.assumingMemoryBound(to: Target.self) + offset
    for i in 0..<count { target[i] = convert(source[i]) }
  }
}

/// What each pattern of a small floating-point type stands for.
enum SmallFloatTable {
  private static let float16 = decoded(.float16, 1 << 16)
  private static let bfloat16 = decoded(.bfloat16, 1 << 16)
  private static let bytes: [DataType: [Double]] = {
    let types: [DataType] = [
      .float8E4M3FN, .float8E4M3FNUZ, .float8E5M2, .float8E5M2FNUZ, .float8E8M0, .float4E2M1,
    ]
    return Dictionary(uniqueKeysWithValues: types.map { ($0, decoded($0, 256)) })
  }()

  private static func decoded(_ type: DataType, _ count: Int) -> [Double] {
    (0..<count).map { SmallFloat.decode(UInt16($0), type) }
  }

  /// The numbers by pattern, 2^16 of a type of two bytes and 2^8 of one byte.
  static func table(_ type: DataType) -> [Double] {
    switch type {
    case .float16: float16
    case .bfloat16: bfloat16
    default: bytes[type] ?? [Double](repeating: .nan, count: 256)
    }
  }
}

/// Conversions of single numbers.
enum Conversion {
  /// An integer modulo the width of its type; for `bool`, whether it is not zero.
  @inline(__always)
  static func wrapped(_ value: Int64, _ dataType: DataType) -> Int64 {
    switch dataType {
    case .int32: Int64(Int32(truncatingIfNeeded: value))
    case .int16: Int64(Int16(truncatingIfNeeded: value))
    case .int8: Int64(Int8(truncatingIfNeeded: value))
    case .int4: (value << 60) >> 60
    case .int2: (value << 62) >> 62
    case .uint32: value & 0xFFFF_FFFF
    case .uint16: value & 0xFFFF
    case .uint8: value & 0xFF
    case .uint4: value & 0xF
    case .uint2: value & 3
    case .bool: value == 0 ? 0 : 1
    default: value
    }
  }

  /// A real number rounded towards zero and clamped to an integer type; NaN gives 0, and `bool` whether
  /// the number is not 0.
  static func integer(_ value: Double, _ dataType: DataType) -> Int64 {
    if dataType == .bool { return value == 0 ? 0 : 1 }
    if value.isNaN { return 0 }
    if dataType == .uint64 {
      if value <= 0 { return 0 }
      return Int64(bitPattern: value >= 0x1p64 ? UInt64.max : UInt64(value))
    }
    let range = dataType.integerRange ?? Int64.min...Int64.max
    if value >= 0x1p63 { return range.upperBound }
    if value < -0x1p63 { return range.lowerBound }
    return min(max(Int64(value), range.lowerBound), range.upperBound)
  }

  /// The nearest number of a floating-point type.
  static func rounded(_ value: Double, _ dataType: DataType, saturates: Bool = false) -> Double {
    switch dataType {
    case .float32: Double(Float(value))
    case .float64: value
    default: SmallFloat.decode(SmallFloat.encode(value, dataType, saturates: saturates), dataType)
    }
  }
}
