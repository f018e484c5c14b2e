package import TensorModel

/// Why a problem does not fit its operands: what was expected and what was found.
package struct ProblemError: Error, Hashable, Sendable, CustomStringConvertible {
  package var description: String
  package init(_ description: String) { self.description = description }
}

extension KernelProblem {
  /// The types of the outputs for inputs of the given types.
  ///
  /// This is the problem's whole contract on its operands: what passes here is safe to run, up to
  /// extents that are still symbolic.
  package func outputTypes(of inputs: [TensorType?]) throws(ProblemError) -> [TensorType] {
    var types = try ownOutputTypes(of: inputs)
    if let epilogue, let own = ownOperandCount, epilogue != .operand(0) || inputs.count > own {
      types[0] = try Self.epilogueType(epilogue, result: types[0], inputs: inputs, own: own)
    }
    for type in types {
      guard type.rank <= 32 else {
        throw ProblemError("the result has rank \(type.rank), more than 32")
      }
      for dimension in type.shape.dimensions
      where (dimension.constant ?? 0) < 0 || dimension.hasOverflowed {
        throw ProblemError("the result's shape \(type.shape) has an impossible extent")
      }
      if let shape = type.shape.constants, ShapeMath.elementCount(shape) == nil {
        throw ProblemError("the result's shape \(type.shape) is too large")
      }
    }
    return types
  }

  private static func epilogueType(
    _ epilogue: ScalarExpression, result: TensorType, inputs: [TensorType?], own: Int
  ) throws(ProblemError) -> TensorType {
    var operands = [result.dataType]
    for input in inputs.dropFirst(own) {
      guard let input else { throw ProblemError("an operand of the epilogue is missing") }
      guard ShapeMath.broadcast(input.shape, result.shape)?.rank == result.rank else {
        throw ProblemError(
          "the epilogue's operand of shape \(input.shape) does not broadcast to \(result.shape)")
      }
      operands.append(input.dataType)
    }
    guard let type = epilogue.dataType(operands: operands), !epilogue.usesIndex else {
      throw ProblemError("the epilogue \(epilogue) does not fit operands of types \(operands)")
    }
    return TensorType(type, result.shape)
  }

  private func ownOutputTypes(of inputs: [TensorType?]) throws(ProblemError) -> [TensorType] {
    switch self {
    case .pointwise(let p): return [try p.outputType(of: inputs)]
    case .reduction(let p): return [try p.outputType(of: try Self.input(0, inputs))]
    case .convolution(let p):
      return [try p.outputType(x: try Self.input(0, inputs), weights: try Self.input(1, inputs))]
    case .matmul(let p):
      return [try p.outputType(a: try Self.input(0, inputs), b: try Self.input(1, inputs))]
    case .window(let p): return try p.outputTypes(of: try Self.input(0, inputs))
    case .normalization(let p):
      return [
        try p.outputType(
          x: try Self.input(0, inputs), scale: inputs.count > 1 ? inputs[1] : nil,
          bias: inputs.count > 2 ? inputs[2] : nil)
      ]
    case .attention(let p):
      return [
        try p.outputType(
          query: try Self.input(0, inputs), key: try Self.input(1, inputs),
          value: try Self.input(2, inputs), mask: inputs.count > 3 ? inputs[3] : nil)
      ]
    case .recurrence(let p): return try p.outputTypes(of: inputs)
    case .gather(let p):
      return [try p.outputType(data: try Self.input(0, inputs), indices: try Self.input(1, inputs))]
    case .scatter(let p):
      return [
        try p.outputType(
          data: try Self.input(0, inputs), indices: try Self.input(1, inputs),
          updates: try Self.input(2, inputs))
      ]
    case .copy(let p):
      var types: [TensorType] = []
      for index in inputs.indices { types.append(try Self.input(index, inputs)) }
      return [try p.outputType(of: types)]
    case .resample(let p):
      let x = try Self.input(0, inputs)
      guard x.rank == p.shape.rank else {
        throw ProblemError("resampling of rank \(x.rank) to shape \(p.shape)")
      }
      return [TensorType(x.dataType, p.shape)]
    case .sort(let p):
      let x = try Self.input(0, inputs)
      try Self.check(axis: p.axis, rank: x.rank)
      if let count = p.count.constant, let extent = x.shape[p.axis].constant, count > extent {
        throw ProblemError("asked for \(count) elements of an axis of \(extent)")
      }
      var shape = x.shape
      shape[p.axis] = p.count
      return [TensorType(x.dataType, shape), TensorType(.int64, shape)]
    case .scan(let p):
      let x = try Self.input(0, inputs)
      try Self.check(axis: p.axis, rank: x.rank)
      return [x]
    }
  }

  private static func input(_ index: Int, _ inputs: [TensorType?]) throws(ProblemError)
    -> TensorType
  {
    guard inputs.indices.contains(index), let type = inputs[index] else {
      throw ProblemError("input \(index) is missing")
    }
    return type
  }

  static func check(axis: Int, rank: Int) throws(ProblemError) {
    guard (0..<max(rank, 0)).contains(axis) else {
      throw ProblemError("axis \(axis) is not one of a tensor of rank \(rank)")
    }
  }
}

extension Pointwise {
  func outputType(of inputs: [TensorType?]) throws(ProblemError) -> TensorType {
    var shape: Shape = self.shape ?? []
    var types: [DataType] = []
    for input in inputs {
      guard let input else { throw ProblemError("an operand is missing") }
      guard let joined = ShapeMath.broadcast(shape, input.shape) else {
        throw ProblemError("shapes \(shape) and \(input.shape) do not broadcast")
      }
      shape = joined
      types.append(input.dataType)
    }
    if let fixed = self.shape, shape.rank != fixed.rank {
      throw ProblemError("an operand of shape \(shape) does not broadcast to \(fixed)")
    }
    guard let type = expression.dataType(operands: types) else {
      throw ProblemError(
        "operands of types \(types.map(\.rawValue).joined(separator: ", ")) do not fit together")
    }
    var rank = shape.rank
    expression.visit { if case .index(let axis) = $0, !(0..<rank).contains(axis) { rank = -1 } }
    guard rank >= 0 else { throw ProblemError("the expression's axis is not one of \(shape)") }
    return TensorType(type, shape)
  }
}

extension Reduction {
  func outputType(of x: TensorType) throws(ProblemError) -> TensorType {
    for axis in axes { try KernelProblem.check(axis: axis, rank: x.rank) }
    guard Set(axes).count == axes.count, axes == axes.sorted() else {
      throw ProblemError("axes \(axes) repeat or are not ascending")
    }
    guard let element = prologue.dataType(operands: [x.dataType]) else {
      throw ProblemError("the prologue \(prologue) does not fit \(x.dataType)")
    }
    var dimensions: [Dimension] = []
    for axis in 0..<x.rank {
      if !axes.contains(axis) {
        dimensions.append(x.shape[axis])
      } else if keepsDimensions {
        dimensions.append(1)
      }
    }
    var type = element
    switch function {
    case .firstMaximum, .lastMaximum, .firstMinimum, .lastMinimum:
      guard axes.count == 1 else { throw ProblemError("the index of an extremum needs one axis") }
      type = .int64
    default: break
    }
    return TensorType(type, Shape(dimensions))
  }
}

extension Normalization {
  func outputType(
    x: TensorType, scale: TensorType?, bias: TensorType?
  ) throws(ProblemError) -> TensorType {
    guard x.dataType.isFloatingPoint else {
      throw ProblemError("normalisation of \(x.dataType), which is not floating point")
    }
    switch kind {
    case .softmax(let axis), .logSoftmax(let axis):
      try KernelProblem.check(axis: axis, rank: x.rank)
    case .layer(let axis, _), .rootMeanSquare(let axis, _):
      try KernelProblem.check(axis: axis, rank: x.rank)
      for operand in [scale, bias] {
        guard let operand else { continue }
        guard ShapeMath.broadcast(operand.shape, x.shape)?.rank == x.rank else {
          throw ProblemError(
            "scale or bias of shape \(operand.shape) does not broadcast to \(x.shape)")
        }
      }
    case .group(let groups, _):
      guard x.rank >= 2 else { throw ProblemError("group normalisation of rank \(x.rank)") }
      if let groups = groups.constant, let channels = x.shape[1].constant {
        guard groups > 0, channels % groups == 0 else {
          throw ProblemError("\(channels) channels do not divide into \(groups) groups")
        }
      }
      for operand in [scale, bias] {
        guard let operand else { continue }
        guard operand.rank == 1, Self.agree(operand.shape[0], x.shape[1]) else {
          throw ProblemError("scale or bias of shape \(operand.shape) for \(x.shape[1]) channels")
        }
      }
    case .localResponse(let size, _, _, _):
      guard x.rank >= 2, size > 0 else {
        throw ProblemError("local response normalisation of size \(size) and rank \(x.rank)")
      }
    }
    return x
  }

  static func agree(_ a: Dimension, _ b: Dimension) -> Bool {
    guard let x = a.constant, let y = b.constant else { return true }
    return x == y
  }
}

extension Attention {
  func outputType(
    query: TensorType, key: TensorType, value: TensorType, mask: TensorType?
  ) throws(ProblemError) -> TensorType {
    guard query.rank == 4, key.rank == 4, value.rank == 4 else {
      throw ProblemError("attention needs operands of rank 4")
    }
    let agree = Normalization.agree
    guard agree(query.shape[0], key.shape[0]), agree(key.shape[0], value.shape[0]),
      agree(key.shape[1], value.shape[1]), agree(key.shape[2], value.shape[2]),
      agree(query.shape[3], key.shape[3])
    else {
      throw ProblemError(
        "query \(query.shape), key \(key.shape) and value \(value.shape) do not fit together")
    }
    if let heads = query.shape[1].constant, let groups = key.shape[1].constant {
      guard groups > 0, heads % groups == 0 else {
        throw ProblemError("\(heads) query heads for \(groups) key heads")
      }
    }
    if let mask {
      let scores: Shape = [query.shape[0], query.shape[1], query.shape[2], key.shape[2]]
      guard ShapeMath.broadcast(mask.shape, scores)?.rank == 4 else {
        throw ProblemError("a mask of shape \(mask.shape) does not broadcast to \(scores)")
      }
    }
    return TensorType(
      query.dataType, [query.shape[0], query.shape[1], query.shape[2], value.shape[3]])
  }
}
