package import TensorModel

extension Gather {
  package func outputType(data: TensorType, indices: TensorType) throws(ProblemError) -> TensorType
  {
    guard indices.dataType == .int64 || indices.dataType == .int32 else {
      throw ProblemError("indices are \(indices.dataType), expected int32 or int64")
    }
    let source = data.shape.dimensions, index = indices.shape.dimensions
    switch self {
    case .slices(let axis):
      try KernelProblem.check(axis: axis, rank: data.rank)
      return TensorType(data.dataType, Shape(source[..<axis] + index + source[(axis + 1)...]))
    case .elements(let axis):
      try KernelProblem.check(axis: axis, rank: data.rank)
      guard indices.rank == data.rank else {
        throw ProblemError("indices have rank \(indices.rank), data has rank \(data.rank)")
      }
      for other in 0..<data.rank where other != axis {
        if let wanted = index[other].constant, let extent = source[other].constant, wanted > extent
        {
          throw ProblemError("indices \(indices.shape) reach beyond data \(data.shape)")
        }
      }
      return TensorType(data.dataType, indices.shape)
    case .coordinates(let batchAxes):
      guard batchAxes >= 0, indices.rank > batchAxes, let depth = index.last?.constant, depth >= 0,
        data.rank - batchAxes >= depth
      else { throw ProblemError("indices \(indices.shape) do not address data \(data.shape)") }
      return TensorType(
        data.dataType, Shape(index.dropLast() + source[(batchAxes + depth)...]))
    }
  }
}

extension Scatter {
  package func outputType(
    data: TensorType, indices: TensorType, updates: TensorType
  ) throws(ProblemError) -> TensorType {
    guard indices.dataType == .int64 || indices.dataType == .int32 else {
      throw ProblemError("indices are \(indices.dataType), expected int32 or int64")
    }
    guard data.dataType == updates.dataType else {
      throw ProblemError("data is \(data.dataType) and updates are \(updates.dataType)")
    }
    switch kind {
    case .elements(let axis):
      try KernelProblem.check(axis: axis, rank: data.rank)
      guard indices.rank == data.rank, updates.rank == data.rank else {
        throw ProblemError(
          "data \(data.shape), indices \(indices.shape) and updates \(updates.shape) differ in rank"
        )
      }
      for other in 0..<data.rank {
        guard Normalization.agree(indices.shape[other], updates.shape[other]) else {
          throw ProblemError("indices \(indices.shape) and updates \(updates.shape) differ")
        }
        if other != axis, let wanted = indices.shape[other].constant,
          let extent = data.shape[other].constant, wanted > extent
        {
          throw ProblemError("indices \(indices.shape) reach beyond data \(data.shape)")
        }
      }
    case .coordinates:
      guard let depth = indices.shape.dimensions.last?.constant, depth >= 0, depth <= data.rank,
        updates.rank == indices.rank - 1 + data.rank - depth
      else {
        throw ProblemError(
          "updates \(updates.shape) at indices \(indices.shape) do not fit data \(data.shape)")
      }
      let expected = indices.shape.dimensions.dropLast() + data.shape.dimensions[depth...]
      guard zip(expected, updates.shape.dimensions).allSatisfy({ Normalization.agree($0, $1) })
      else {
        throw ProblemError(
          "updates have shape \(updates.shape), expected \(Shape(Array(expected)))")
      }
    }
    return data
  }
}

extension Copy {
  package func outputType(of inputs: [TensorType]) throws(ProblemError) -> TensorType {
    guard let x = inputs.first, inputs.count == 1 || isConcatenation else {
      throw ProblemError("expected one input, found \(inputs.count)")
    }
    switch self {
    case .reshape(let shape):
      guard Normalization.agree(shape.elementCount, x.shape.elementCount) else {
        throw ProblemError(
          "\(x.shape) has \(x.shape.elementCount) elements, \(shape) has \(shape.elementCount)")
      }
      return TensorType(x.dataType, shape)
    case .transpose(let permutation):
      guard permutation.sorted() == Array(0..<x.rank) else {
        throw ProblemError("\(permutation) is not a permutation of \(x.rank) axes")
      }
      return TensorType(x.dataType, Shape(permutation.map { x.shape[$0] }))
    case .expand(let shape):
      guard let joined = ShapeMath.broadcast(x.shape, shape), joined.rank == shape.rank else {
        throw ProblemError("\(x.shape) does not broadcast to \(shape)")
      }
      return TensorType(x.dataType, joined)
    case .slice(let starts, let sizes, let steps):
      try checkSlice(x.shape, starts: starts, sizes: sizes, steps: steps)
      return TensorType(x.dataType, Shape(sizes))
    case .pad(let mode, let before, let after):
      return TensorType(x.dataType, try paddedShape(x.shape, mode, before: before, after: after))
    case .concatenate(let axis):
      return TensorType(x.dataType, try concatenatedShape(inputs, axis: axis))
    case .tile(let repeats):
      guard repeats.count == x.rank else {
        throw ProblemError("\(repeats.count) repeats for rank \(x.rank)")
      }
      return TensorType(x.dataType, Shape(zip(x.shape.dimensions, repeats).map { $0 * $1 }))
    }
  }

  private var isConcatenation: Bool {
    if case .concatenate = self { true } else { false }
  }

  private func checkSlice(
    _ shape: Shape, starts: [Dimension], sizes: [Dimension], steps: [Int]
  ) throws(ProblemError) {
    guard starts.count == shape.rank, sizes.count == shape.rank, steps.count == shape.rank,
      !steps.contains(0)
    else { throw ProblemError("a slice of \(starts.count) axes of \(shape), steps \(steps)") }
    for axis in 0..<shape.rank {
      guard let start = starts[axis].constant, let size = sizes[axis].constant,
        let extent = shape[axis].constant, size > 0
      else { continue }
      let (distance, overflow) = (size - 1).multipliedReportingOverflow(by: steps[axis])
      let (last, overflow2) = start.addingReportingOverflow(distance)
      guard size > 0, !overflow, !overflow2, (0..<extent).contains(start),
        (0..<extent).contains(last)
      else {
        throw ProblemError(
          "axis \(axis): \(size) elements from \(start) in steps of \(steps[axis]) leave 0..<\(extent)"
        )
      }
    }
  }

  private func paddedShape(
    _ shape: Shape, _ mode: PadMode, before: [Dimension], after: [Dimension]
  ) throws(ProblemError) -> Shape {
    guard before.count == shape.rank, after.count == shape.rank else {
      throw ProblemError("\(before.count) and \(after.count) pads for rank \(shape.rank)")
    }
    if case .constant = mode {
    } else {
      for axis in 0..<shape.rank {
        guard let extent = shape[axis].constant else { continue }
        let padded = (before[axis].constant ?? 0) > 0 || (after[axis].constant ?? 0) > 0
        guard extent > 0 || !padded else { throw ProblemError("padding of an empty axis") }
      }
    }
    return Shape((0..<shape.rank).map { shape[$0] + before[$0] + after[$0] })
  }

  private func concatenatedShape(_ inputs: [TensorType], axis: Int) throws(ProblemError) -> Shape {
    var result = inputs[0].shape
    try KernelProblem.check(axis: axis, rank: result.rank)
    for input in inputs.dropFirst() {
      guard input.dataType == inputs[0].dataType, input.rank == result.rank else {
        throw ProblemError("\(input) does not concatenate with \(inputs[0])")
      }
      for other in 0..<result.rank where other != axis {
        guard Normalization.agree(input.shape[other], result[other]) else {
          throw ProblemError("shapes \(input.shape) and \(result) differ outside axis \(axis)")
        }
      }
      result[axis] = result[axis] + input.shape[axis]
    }
    return result
  }
}
