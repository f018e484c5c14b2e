import KernelModel
import TensorModel

extension Interpreter {
  static func copy(
    _ problem: Copy, _ inputs: Operands, _ output: Output
  ) throws(ProblemError) -> Tensor {
    let x = try inputs[required: 0]
    let strides = ShapeMath.rowMajorStrides(x.shape)
    switch problem {
    case .reshape:
      do { return try x.reshaped(output.shape) } catch { throw ProblemError("\(error)") }
    case .expand: return try expand(x, output)
    case .concatenate(let axis):
      return try concatenate(try inputs.all(from: 0), axis: axis, output)
    case .transpose(let permutation):
      let tables = permutation.map { axis in (0..<x.shape[axis]).map { $0 * strides[axis] } }
      return try move(TableMovement(tables: tables), [x], output)
    case .tile:
      let tables = output.shape.indices.map { axis in
        (0..<output.shape[axis]).map { $0 % x.shape[axis] * strides[axis] }
      }
      return try move(TableMovement(tables: tables), [x], output)
    case .slice(let starts, _, let steps):
      let first = try constants(starts)
      let tables = output.shape.indices.map { axis in
        (0..<output.shape[axis]).map { (first[axis] + $0 * steps[axis]) * strides[axis] }
      }
      return try move(TableMovement(tables: tables), [x], output)
    case .pad(let mode, let before, _):
      return try pad(x, mode, before: try constants(before), output)
    }
  }

  private static func concatenate(
    _ inputs: [Tensor], axis: Int, _ output: Output
  ) throws(ProblemError) -> Tensor {
    let splits = inputs.map { AxisSplit($0.shape, axis: axis) }
    let movement = ConcatenationMovement(
      outer: splits[0].outer, counts: splits.map { $0.extent * $0.inner })
    return try move(movement, inputs, output)
  }

  private static func pad(
    _ x: Tensor, _ mode: Copy.PadMode, before: [Int], _ output: Output
  ) throws(ProblemError) -> Tensor {
    let strides = ShapeMath.rowMajorStrides(x.shape)
    let tables = output.shape.indices.map { axis in
      (0..<output.shape[axis]).map { position in
        let source = paddedIndex(position - before[axis], extent: x.shape[axis], mode)
        return source.map { $0 * strides[axis] } ?? -1
      }
    }
    guard case .constant(let value) = mode else {
      return try move(TableMovement(tables: tables), [x], output)
    }
    return try move(TableMovement(tables: tables), [x, try fill(value, x.dataType)], output)
  }

  /// The element of an axis that a position in or beside it shows; nil for the constant.
  private static func paddedIndex(_ position: Int, extent: Int, _ mode: Copy.PadMode) -> Int? {
    if (0..<extent).contains(position) { return position }
    guard extent > 0 else { return nil }
    switch mode {
    case .constant: return nil
    case .edge: return min(max(position, 0), extent - 1)
    case .wrap: return modulo(position, extent)
    case .reflect:
      guard extent > 1 else { return 0 }
      let phase = modulo(position, 2 * extent - 2)
      return phase < extent ? phase : 2 * extent - 2 - phase
    }
  }

  private static func modulo(_ a: Int, _ b: Int) -> Int {
    let remainder = a % b
    return remainder < 0 ? remainder + b : remainder
  }

  /// A scalar of any type; the empty string.
  private static func fill(_ value: Double, _ type: DataType) throws(ProblemError) -> Tensor {
    let output = Output(dataType: type, shape: [1], elementCount: 1)
    switch type {
    case .string: return try output.allocate()
    case .complex64, .complex128:
      let part: DataType = type == .complex64 ? .float32 : .float64
      let parts = try Numbers.floating([value, 0]).tensor(
        Output(dataType: part, shape: [2], elementCount: 2))
      do {
        return try Tensor(
          dataType: type, shape: [1], storage: parts.storage, byteOffset: parts.byteOffset)
      } catch { throw ProblemError("\(error)") }
    default: return try Numbers.of([value], as: type).tensor(output)
    }
  }
}
