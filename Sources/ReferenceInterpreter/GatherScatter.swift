import KernelModel
import TensorModel

extension Interpreter {
  // MARK: - Gather

  static func gather(
    _ problem: Gather, _ inputs: Operands, _ output: Output
  ) throws(ProblemError) -> Tensor {
    let data = try inputs[required: 0]
    let indexTensor = try inputs[required: 1]
    let indices = try indexTensor.wideIntegers()
    guard data.elementCount > 0 else {
      throw ProblemError("a gather from \(data.type), which is empty")
    }
    let strides = ShapeMath.rowMajorStrides(data.shape)
    switch problem {
    case .slices(let axis):
      let split = AxisSplit(data.shape, axis: axis)
      var offsets: [Int] = []
      offsets.reserveCapacity(split.outer * indices.count)
      for outer in 0..<split.outer {
        for index in indices {
          offsets.append((outer * split.extent + clamped(index, split.extent)) * split.inner)
        }
      }
      return try move(GatherMovement(offsets: offsets, count: split.inner), [data], output)
    case .elements(let axis):
      let offsets = elementOffsets(indexTensor.shape, strides, axis: axis) { position in
        clamped(indices[position], data.shape[axis])
      }
      return try move(GatherMovement(offsets: offsets, count: 1), [data], output)
    case .coordinates(let batchAxes):
      let shape = indexTensor.shape
      guard shape[..<batchAxes] == data.shape[..<batchAxes] else {
        throw ProblemError("the batch extents of \(data.type) and of indices \(shape) differ")
      }
      let depth = shape[shape.count - 1]
      let batches = shape[..<batchAxes].reduce(1, *)
      let batchStride = data.elementCount / max(batches, 1)
      let perBatch = shape[batchAxes..<(shape.count - 1)].reduce(1, *)
      let offsets = (0..<batches * perBatch).map { tuple in
        (0..<depth).reduce(tuple / perBatch * batchStride) { offset, k in
          let axis = batchAxes + k
          return offset + clamped(indices[tuple * depth + k], data.shape[axis]) * strides[axis]
        }
      }
      let count = data.shape[(batchAxes + depth)...].reduce(1, *)
      return try move(GatherMovement(offsets: offsets, count: count), [data], output)
    }
  }

  /// An index, where negative ones count from the end, moved into `0 ..< extent`.
  private static func clamped(_ index: Int64, _ extent: Int) -> Int {
    let position = index < 0 ? index + Int64(extent) : index
    return Int(min(max(position, 0), Int64(extent - 1)))
  }

  /// For each position of a shape, the offset in a tensor with the given strides at the same coordinate,
  /// except along `axis`, where the coordinate is that of `body`; negative coordinates give -1.
  private static func elementOffsets(
    _ shape: [Int], _ strides: [Int], axis: Int, _ body: (_ position: Int) -> Int
  ) -> [Int] {
    var others = strides
    others[axis] = 0
    let index = StridedIndex(shape: shape, strides: others)
    let count = shape.reduce(1, *)
    let stride = index.innerStride
    var offsets: [Int] = []
    offsets.reserveCapacity(count)
    index.forEachRun(from: 0, count: count) { position, offset, length in
      for i in 0..<length {
        let coordinate = body(position + i)
        offsets.append(
          coordinate < 0 ? -1 : offset + i * stride + coordinate * strides[axis])
      }
    }
    return offsets
  }

  // MARK: - Scatter

  static func scatter(
    _ problem: Scatter, _ inputs: Operands, _ output: Output
  ) throws(ProblemError) -> Tensor {
    let data = try inputs[required: 0]
    let indexTensor = try inputs[required: 1]
    let updates = try inputs[required: 2]
    guard updates.elementCount > 0 else { return data }
    let indices = try indexTensor.wideIntegers()
    let strides = ShapeMath.rowMajorStrides(data.shape)
    var offsets: [Int]
    var count = 1
    switch problem.kind {
    case .elements(let axis):
      offsets = elementOffsets(indexTensor.shape, strides, axis: axis) { position in
        checked(indices[position], data.shape[axis]) ?? -1
      }
    case .coordinates:
      let depth = indexTensor.shape[indexTensor.shape.count - 1]
      let tuples = indexTensor.shape.dropLast().reduce(1, *)
      count = data.shape[depth...].reduce(1, *)
      offsets = (0..<tuples).map { tuple in
        var offset = 0
        for axis in 0..<depth {
          guard let position = checked(indices[tuple * depth + axis], data.shape[axis]) else {
            return -1
          }
          offset += position * strides[axis]
        }
        return offset
      }
    }
    if problem.combination == .replace {
      return try move(
        ScatterMovement(offsets: offsets, count: count, total: data.elementCount),
        [data, updates], output)
    }
    return try combine(
      problem.combination, data, updates, offsets: offsets, count: count, output)
  }

  /// An index, where negative ones count from the end; nil where it is out of range.
  private static func checked(_ index: Int64, _ extent: Int) -> Int? {
    let position = index < 0 ? index + Int64(extent) : index
    return position >= 0 && position < Int64(extent) ? Int(position) : nil
  }

  private static func combine(
    _ combination: Scatter.Combination, _ data: Tensor, _ updates: Tensor, offsets: [Int],
    count: Int, _ output: Output
  ) throws(ProblemError) -> Tensor {
    switch (try Numbers(data), try Numbers(updates)) {
    case (.floating(var values), .floating(let others)):
      for (i, offset) in offsets.enumerated() where offset >= 0 {
        for k in 0..<count {
          let a = values[offset + k], b = others[i * count + k]
          values[offset + k] =
            switch combination {
            case .replace: b
            case .add: a + b
            case .multiply: a * b
            case .minimum: a.isNaN || a < b ? a : b
            case .maximum: a.isNaN || a > b ? a : b
            }
        }
      }
      return try Numbers.floating(values).tensor(output)
    case (.integer(var values), .integer(let others)):
      let order = data.dataType.orderMask
      for (i, offset) in offsets.enumerated() where offset >= 0 {
        for k in 0..<count {
          let a = values[offset + k], b = others[i * count + k]
          values[offset + k] =
            switch combination {
            case .replace: b
            case .add: a &+ b
            case .multiply: a &* b
            case .minimum: a ^ order < b ^ order ? a : b
            case .maximum: a ^ order > b ^ order ? a : b
            }
        }
      }
      return try Numbers.integer(values).tensor(output)
    default: throw ProblemError("data is \(data.dataType), updates are \(updates.dataType)")
    }
  }
}

extension DataType {
  /// What integers of this type are combined with by exclusive or, so that they compare as `Int64`.
  var orderMask: Int64 { self == .uint64 ? Int64.min : 0 }
}
