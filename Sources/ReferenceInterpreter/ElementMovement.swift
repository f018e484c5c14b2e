import KernelModel
import TensorModel

/// Moves elements without looking at them.
protocol ElementMovement {
  func move<Element: BitwiseCopyable>(
    _ sources: [UnsafePointer<Element>], to target: UnsafeMutablePointer<Element>)
}

extension Interpreter {
  /// A tensor written by a movement; strings move as their numbers.
  static func move(
    _ movement: some ElementMovement, _ sources: [Tensor], _ output: Output
  ) throws(ProblemError) -> Tensor {
    guard sources.allSatisfy({ $0.dataType == output.dataType }) else {
      throw ProblemError("sources of an element type other than \(output.dataType)")
    }
    if output.dataType == .string { return try moveStrings(movement, sources, output) }
    var result = try output.allocate()
    result.withUnsafeMutableBytes { bytes in
      guard let target = bytes.baseAddress else { return }
      func run<Element: BitwiseCopyable>(_ type: Element.Type) {
        movement.move(
          sources.map {
            UnsafeRawPointer($0.storage.base + $0.byteOffset).assumingMemoryBound(to: type)
          }, to: target.assumingMemoryBound(to: type))
      }
      switch output.dataType.byteCount {
      case 1: run(UInt8.self)
      case 2: run(UInt16.self)
      case 4: run(UInt32.self)
      case 8: run(UInt64.self)
      default: run(SIMD2<UInt64>.self)
      }
    }
    withExtendedLifetime(sources) {}
    return result
  }

  private static func moveStrings(
    _ movement: some ElementMovement, _ sources: [Tensor], _ output: Output
  ) throws(ProblemError) -> Tensor {
    var all: [String] = []
    var numbers: [Tensor] = []
    for source in sources {
      let range = Int64(all.count)..<Int64(all.count + source.strings.count)
      all += source.strings
      numbers.append(
        try Numbers.integer(Array(range)).tensor(
          Output(dataType: .int64, shape: source.shape, elementCount: source.elementCount)))
    }
    let moved = try move(
      movement, numbers,
      Output(dataType: .int64, shape: output.shape, elementCount: output.elementCount))
    var strings: [String] = []
    for number in try moved.wideIntegers() {
      guard all.indices.contains(Int(number)) else { throw ProblemError("a string is missing") }
      strings.append(all[Int(number)])
    }
    do { return try Tensor(strings: strings, shape: output.shape) } catch {
      throw ProblemError("\(error)")
    }
  }

  /// A tensor broadcast to a shape.
  static func expand(_ x: Tensor, _ output: Output) throws(ProblemError) -> Tensor {
    if x.shape == output.shape { return x }
    let strides = ShapeMath.rowMajorStrides(x.shape)
    let missing = output.shape.count - x.shape.count
    let tables = output.shape.indices.map { axis in
      axis < missing || x.shape[axis - missing] == 1
        ? [Int](repeating: 0, count: output.shape[axis])
        : (0..<output.shape[axis]).map { $0 * strides[axis - missing] }
    }
    return try move(TableMovement(tables: tables), [x], output)
  }
}

/// Each axis of the target contributes to the source's offset by a table; where an entry is negative, the
/// element is the first one of the second source.
struct TableMovement: ElementMovement {
  var tables: [[Int]]

  func move<Element: BitwiseCopyable>(
    _ sources: [UnsafePointer<Element>], to target: UnsafeMutablePointer<Element>
  ) {
    let source = sources[0]
    guard let inner = tables.last else {
      target[0] = source[0]
      return
    }
    let fill = sources.count > 1 ? sources[1] : source
    var target = target
    for row in Coordinates(tables.dropLast().map(\.count)) {
      var base = 0
      var isFilled = false
      for axis in row.indices {
        let entry = tables[axis][row[axis]]
        isFilled = isFilled || entry < 0
        base += entry
      }
      if isFilled {
        target.update(repeating: fill[0], count: inner.count)
      } else {
        inner.withUnsafeBufferPointer { offsets in
          for i in 0..<offsets.count {
            let offset = offsets[i]
            target[i] = offset < 0 ? fill[0] : source[base + offset]
          }
        }
      }
      target += inner.count
    }
  }
}

/// A run of each source in turn, over and over.
struct ConcatenationMovement: ElementMovement {
  var outer: Int
  /// The length of the runs of each source.
  var counts: [Int]

  func move<Element: BitwiseCopyable>(
    _ sources: [UnsafePointer<Element>], to target: UnsafeMutablePointer<Element>
  ) {
    var target = target
    for run in 0..<outer {
      for (source, count) in zip(sources, counts) {
        target.update(from: source + run * count, count: count)
        target += count
      }
    }
  }
}

/// Runs of equal length from anywhere in the source, one after the other in the target.
struct GatherMovement: ElementMovement {
  var offsets: [Int]
  var count: Int

  func move<Element: BitwiseCopyable>(
    _ sources: [UnsafePointer<Element>], to target: UnsafeMutablePointer<Element>
  ) {
    let source = sources[0]
    if count == 1 {
      for (i, offset) in offsets.enumerated() { target[i] = source[offset] }
    } else {
      for (i, offset) in offsets.enumerated() {
        (target + i * count).update(from: source + offset, count: count)
      }
    }
  }
}

/// The first source, in which runs are replaced by those of the second, in order; a negative offset
/// writes nothing.
struct ScatterMovement: ElementMovement {
  var offsets: [Int]
  var count: Int
  var total: Int

  func move<Element: BitwiseCopyable>(
    _ sources: [UnsafePointer<Element>], to target: UnsafeMutablePointer<Element>
  ) {
    target.update(from: sources[0], count: total)
    for (i, offset) in offsets.enumerated() where offset >= 0 {
      (target + offset).update(from: sources[1] + i * count, count: count)
    }
  }
}
