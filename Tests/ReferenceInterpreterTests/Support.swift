import KernelModel
import ReferenceInterpreter
import TensorModel
import Testing

/// The only output of a problem.
func evaluate(_ problem: KernelProblem, _ inputs: Tensor?...) throws -> Tensor {
  try #require(try Interpreter.evaluate(problem, inputs).first)
}

func floats(_ values: [Float], _ shape: [Int]) throws -> Tensor {
  try Tensor(values, shape: shape)
}

/// 0, 1, 2, ... in a shape.
func ramp(_ shape: [Int]) throws -> Tensor {
  try Tensor((0..<shape.reduce(1, *)).map { Float($0) }, shape: shape)
}

/// Numbers between -1 and 1 that are the same in every run.
func noise(_ shape: [Int], seed: UInt64 = 1) throws -> Tensor {
  var state = seed &* 0x9E37_79B9_7F4A_7C15
  let values = (0..<shape.reduce(1, *)).map { _ in
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Float(Int32(truncatingIfNeeded: state >> 33)) / Float(Int32.max)
  }
  return try Tensor(values, shape: shape)
}

/// Whether numbers are equal up to float32 rounding, NaN being equal to NaN.
func expectClose(
  _ tensor: Tensor, _ expected: [Double], tolerance: Double = 1e-6,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  let found = tensor.numbers() ?? []
  #expect(found.count == expected.count, sourceLocation: sourceLocation)
  for (index, (a, b)) in zip(found, expected).enumerated() {
    let isClose = a == b || a.isNaN && b.isNaN || abs(a - b) <= tolerance * max(1, abs(b))
    #expect(isClose, "element \(index): \(a), expected \(b)", sourceLocation: sourceLocation)
  }
}

func expectEqual(
  _ tensor: Tensor, _ expected: [Double], shape: [Int]? = nil,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  expectClose(tensor, expected, tolerance: 0, sourceLocation: sourceLocation)
  if let shape { #expect(tensor.shape == shape, sourceLocation: sourceLocation) }
}

let x0 = ScalarExpression.operand(0)
let x1 = ScalarExpression.operand(1)

func pointwise(_ expression: ScalarExpression) -> KernelProblem {
  .pointwise(Pointwise(expression))
}
