package import GraphModel
package import TensorModel

/// Access to the concrete operands of host operators, with this layer's errors.
package enum HostInputs {
  package static func tensor(_ inputs: [Tensor?], _ index: Int) throws(OperatorError) -> Tensor {
    guard inputs.indices.contains(index), let tensor = inputs[index] else {
      throw OperatorError("input \(index) is missing")
    }
    return tensor
  }

  package static func optional(_ inputs: [Tensor?], _ index: Int) -> Tensor? {
    inputs.indices.contains(index) ? inputs[index] : nil
  }

  package static func numbers(_ inputs: [Tensor?], _ index: Int) throws(OperatorError) -> [Double] {
    let tensor = try tensor(inputs, index)
    guard let numbers = tensor.numbers() else {
      throw OperatorError("input \(index) is \(tensor.dataType), expected numbers")
    }
    return numbers
  }

  package static func integers(_ inputs: [Tensor?], _ index: Int) throws(OperatorError) -> [Int] {
    let tensor = try tensor(inputs, index)
    guard let integers = tensor.integers() else {
      throw OperatorError("input \(index) is \(tensor.dataType), expected integers")
    }
    return integers.map { Int($0) }
  }

  package static func optionalNumbers(
    _ inputs: [Tensor?], _ index: Int
  ) throws(OperatorError) -> [Double]? {
    optional(inputs, index) == nil ? nil : try numbers(inputs, index)
  }

  package static func optionalIntegers(
    _ inputs: [Tensor?], _ index: Int
  ) throws(OperatorError) -> [Int]? {
    optional(inputs, index) == nil ? nil : try integers(inputs, index)
  }

  // MARK: Results

  private static func checked(
    _ make: () throws(TensorError) -> Tensor
  ) throws(OperatorError) -> Tensor {
    do { return try make() } catch { throw OperatorError(error.description) }
  }

  package static func uninitialized(
    _ type: DataType, _ shape: [Int]
  ) throws(OperatorError) -> Tensor {
    try checked { () throws(TensorError) in try Tensor(uninitialized: type, shape: shape) }
  }

  package static func integers(
    _ values: [Int64], _ type: DataType, _ shape: [Int]
  ) throws(OperatorError) -> Tensor {
    guard type.isInteger || type == .bool else {
      throw OperatorError("a result of numbers is \(type)")
    }
    return try checked { () throws(TensorError) in
      try Tensor(integers: values, dataType: type, shape: shape)
    }
  }

  package static func numbers(
    _ values: [Double], _ type: DataType, _ shape: [Int]
  ) throws(OperatorError) -> Tensor {
    guard !type.isFloatingPoint else {
      return try checked { () throws(TensorError) in
        try Tensor(numbers: values, dataType: type, shape: shape)
      }
    }
    let whole = values.map { Int64(exactly: $0.rounded(.towardZero)) ?? 0 }
    return try integers(whole, type, shape)
  }

  package static func strings(
    _ values: [String], _ shape: [Int]
  ) throws(OperatorError) -> Tensor {
    try checked { () throws(TensorError) in try Tensor(strings: values, shape: shape) }
  }

  package static func reshaped(_ x: Tensor, _ shape: [Int]) throws(OperatorError) -> Tensor {
    try checked { () throws(TensorError) in try x.reshaped(shape) }
  }

  /// The elements of x at the given positions, in any type.
  package static func elements(
    of x: Tensor, at positions: [Int], shape: [Int]
  ) throws(OperatorError) -> Tensor {
    if x.dataType == .string { return try strings(positions.map { x.strings[$0] }, shape) }
    var result = try uninitialized(x.dataType, shape)
    guard result.elementCount == positions.count else {
      throw OperatorError("\(positions.count) elements do not fill shape \(shape)")
    }
    let size = x.dataType.byteCount
    x.withUnsafeBytes { source in
      result.withUnsafeMutableBytes { target in
        for (index, position) in positions.enumerated() {
          for byte in 0..<size { target[index * size + byte] = source[position * size + byte] }
        }
      }
    }
    return result
  }

  /// The shape of two tensors broadcast, and for each element the positions in both.
  package static func broadcastPairs(
    _ a: Tensor, _ b: Tensor
  ) throws(OperatorError) -> (shape: [Int], pairs: [(Int, Int)]) {
    guard let shape = ShapeMath.broadcast(Shape(a.shape), Shape(b.shape))?.constants,
      let count = ShapeMath.elementCount(shape)
    else { throw OperatorError("shapes \(a.shape) and \(b.shape) do not broadcast") }
    func strides(_ x: [Int]) -> [Int] {
      let dense = ShapeMath.rowMajorStrides(x)
      let padding = [Int](repeating: 0, count: shape.count - x.count)
      return padding + zip(x, dense).map { $0 == 1 ? 0 : $1 }
    }
    let (first, second) = (strides(a.shape), strides(b.shape))
    let pairs = (0..<count).map { flat in
      var (rest, i, j) = (flat, 0, 0)
      for axis in shape.indices.reversed() {
        let coordinate = rest % shape[axis]
        rest /= shape[axis]
        i += coordinate * first[axis]
        j += coordinate * second[axis]
      }
      return (i, j)
    }
    return (shape, pairs)
  }
}
