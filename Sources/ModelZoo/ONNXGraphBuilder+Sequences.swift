/// One extent of a target shape: known, or a scalar that the graph computes.
enum TargetExtent {
  case fixed(Int)
  case computed(String)
}

extension ONNXGraphBuilder {
  /// `x W + b` over the last axis, as `MatMul` and `Add`.
  mutating func linear(
    _ x: String, _ name: String, from inputs: Int, to outputs: Int, standardDeviation: Float
  ) -> String {
    scope(name) { graph in
      let weight = graph.randomWeight(
        "weight", shape: [inputs, outputs], standardDeviation: standardDeviation)
      let bias = graph.randomWeight("bias", shape: [outputs], standardDeviation: 0.02)
      return graph.node("Add", [bias, graph.node("MatMul", [x, weight])])
    }
  }

  /// `x W' + b` of a matrix, as `Gemm`.
  mutating func matrixLinear(
    _ x: String, _ name: String, from inputs: Int, to outputs: Int, standardDeviation: Float
  ) -> String {
    scope(name) { graph in
      let weight = graph.randomWeight(
        "weight", shape: [outputs, inputs], standardDeviation: standardDeviation)
      let bias = graph.randomWeight("bias", shape: [outputs], standardDeviation: 0.02)
      return graph.node(
        "Gemm", [x, weight, bias],
        [.number("alpha", 1), .number("beta", 1), .integer("transB", 1)])
    }
  }

  /// Layer normalisation over the last axis.
  mutating func layerNormalization(
    _ x: String, _ name: String, features: Int, epsilon: Float
  ) -> String {
    scope(name) { graph in
      let scale = graph.randomWeight(
        "weight", shape: [features], mean: 1, standardDeviation: 0.1)
      let bias = graph.randomWeight("bias", shape: [features], standardDeviation: 0.05)
      return graph.node(
        "LayerNormalization", [x, scale, bias],
        [.integer("axis", -1), .number("epsilon", epsilon)])
    }
  }

  /// The exact GELU, `x (1 + erf(x / sqrt 2)) / 2`, written out.
  mutating func gelu(_ x: String) -> String {
    let scaled = node("Div", [x, constant(number: Float(2).squareRoot())])
    let error = node("Erf", [scaled])
    let shifted = node("Add", [error, constant(number: 1)])
    let product = node("Mul", [x, shifted])
    return node("Mul", [product, constant(number: 0.5)])
  }

  /// One extent of a value, as a scalar that the graph computes.
  mutating func extent(_ x: String, axis: Int) -> String {
    let shape = node("Shape", [x])
    return node("Gather", [shape, constant(integer: axis)], [.integer("axis", 0)])
  }

  /// A vector of extents.
  mutating func shape(_ extents: [TargetExtent]) -> String {
    let vectors = extents.map { extent in
      switch extent {
      case .fixed(let value): constant(vector: [value])
      case .computed(let scalar): node("Unsqueeze", [scalar, constant(vector: [0])])
      }
    }
    return node("Concat", vectors, [.integer("axis", 0)])
  }

  mutating func reshape(_ x: String, _ extents: [TargetExtent]) -> String {
    node("Reshape", [x, shape(extents)], [.integer("allowzero", 0)])
  }

  mutating func transpose(_ x: String, _ permutation: [Int]) -> String {
    node("Transpose", [x], [.integers("perm", permutation)])
  }

  mutating func softmax(_ x: String) -> String {
    node("Softmax", [x], [.integer("axis", -1)])
  }

  /// The first position of each sequence of [batch, sequence, features].
  mutating func firstPosition(_ x: String) -> String {
    node("Gather", [x, constant(integer: 0)], [.integer("axis", 1)])
  }
}
