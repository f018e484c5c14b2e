import KernelModel
import TensorModel

/// Convolutions that are worth a library: of images without gaps, padded alike on both sides.
enum LibraryConvolutionCases {
  /// Multiply-adds at least.
  private static let work = 1e9

  private struct Geometry {
    var kernel: [Int]
    var strides: [Int]
    var dilations: [Int]
    var pads: [Int]
    var windows: [Int]

    var taps: Int { kernel.reduce(1, *) }
    var extents: [Int] {
      kernel.indices.map { axis in
        (windows[axis] - 1) * strides[axis] + (kernel[axis] - 1) * dilations[axis] + 1
          - 2 * pads[axis]
      }
    }
  }

  static func convolution(_ maker: inout CaseMaker) throws -> StepCase {
    let type = maker.random.pick(
      [.float16, .float16, .bfloat16, .float32, .float32, .float32] as [DataType])
    let groups = maker.random.pick([1, 1, 1, 1, 2, 3, 8])
    let inputs = maker.random.pick([16, 37, 64, 72, 128])
    let outputs = maker.random.pick(groups == 8 ? [8, 24, 32] : [24, 41, 64, 96])
    let geometry = geometry(&maker)
    let share = Double(geometry.windows.reduce(1, *) * geometry.taps * inputs * outputs * groups)
    let shape = [Int((work / share).rounded(.up)), inputs * groups] + geometry.extents
    let x = try maker.tensor(type, shape, scale: 1)
    let weights = try maker.tensor(type, [outputs * groups, inputs] + geometry.kernel, scale: 1)
    let pads = geometry.pads.map { Dimension($0) }
    var problem = Convolution(
      strides: geometry.strides, dilations: geometry.dilations, padsBefore: pads, padsAfter: pads,
      groups: groups)
    var result = StepCase(.convolution(problem), [x, weights])
    let channelsLast = [0] + Array(2..<shape.count) + [1]
    result.orders = [channelsLast, nil]
    result.outputOrder = channelsLast
    result.constants = [1]
    problem.epilogue = try epilogue(
      [shape[0], outputs * groups] + geometry.windows, type, &result, &maker)
    result.problem = .convolution(problem)
    return result
  }

  /// Windows over a line or an image.
  private static func geometry(_ maker: inout CaseMaker) -> Geometry {
    while true {
      let kernel = maker.random.pick([[3, 3], [3, 3], [3, 3], [1, 1], [5, 2], [1, 7], [9]])
      let dilations = kernel.map { _ in maker.random.pick([1, 1, 1, 2]) }
      let geometry = Geometry(
        kernel: kernel, strides: kernel.map { _ in maker.random.pick([1, 1, 2, 3]) },
        dilations: dilations,
        pads: zip(kernel, dilations).map { maker.random.below(($0 - 1) * $1 / 2 + 1) },
        windows: kernel.map { _ in maker.random.pick([13, 28, 31, 56]) })
      if geometry.extents.allSatisfy({ $0 > 0 }) { return geometry }
    }
  }

  /// What the library's fused call does, and in single precision more.
  private static func epilogue(
    _ shape: [Int], _ type: DataType, _ result: inout StepCase, _ maker: inout CaseMaker
  ) throws -> ScalarExpression {
    var expression = ScalarExpression.operand(0)
    if maker.random.chance(60) {
      expression = expression + .operand(result.inputs.count - 1)
      let bias = shape.indices.map { $0 == 1 ? shape[1] : 1 }
      if maker.random.chance(70) { result.constants.insert(result.inputs.count) }
      result.inputs.append(try maker.tensor(type, bias, scale: 1))
      result.orders.append(nil)
    }
    if maker.random.chance(40) {
      expression = expression + .operand(result.inputs.count - 1)
      if maker.random.chance(60) { result.inPlace = result.inputs.count }
      result.inputs.append(try maker.tensor(type, shape, scale: 1))
      result.orders.append(result.outputOrder)
    }
    switch maker.random.below(type == .float32 ? 3 : 2) {
    case 0: return .maximum(expression, .constant(0, type))
    case 1: return expression
    default: return expression * .unary(.sigmoid, expression)
    }
  }
}
