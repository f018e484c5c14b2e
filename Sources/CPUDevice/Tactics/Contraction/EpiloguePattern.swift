import CPUKernelInterface
import KernelModel
import ProgramModel
import TensorModel

/// An epilogue that contractions apply in registers: `activation(result + biases + residual)`.
struct EpiloguePattern {
  var activation = ContractionActivation.none
  var lower: Float = 0
  var upper: Float = 0
  /// Constant operands that vary along the channels alone, as positions among the step's inputs.
  var biases: [Int] = []
  /// A constant added to every element.
  var offset: Float = 0
  /// An operand of the output's shape, as a position among the step's inputs.
  var residual: Int?

  /// - Parameters:
  ///   - own: how many inputs of the step come before those of the epilogue.
  ///   - channelAxis: the axis of the output along which a bias varies.
  init?(_ expression: ScalarExpression, request: TacticRequest, own: Int, channelAxis: Int) {
    let step = request.step
    let first = step.inputs[0]?.dataType ?? .float32
    let types = [first] + step.inputs.dropFirst(own).map { $0?.dataType ?? .float32 }
    let sum = takeActivation(expression.inSingle(types, result: step.outputs[0].dataType))
    var results = 0
    for term in Self.terms(sum) {
      switch term {
      case .operand(0): results += 1
      case .constant(let value, .float32): offset += Float(value)
      case .operand(let index):
        guard take(own + index - 1, request, channelAxis) else { return nil }
      default: return nil
      }
    }
    guard results == 1 else { return nil }
  }

  /// Removes the outermost activation and returns what it is applied to.
  private mutating func takeActivation(_ expression: ScalarExpression) -> ScalarExpression {
    switch expression {
    case .binary(.maximum, let x, .constant(0, .float32)),
      .binary(.maximum, .constant(0, .float32), let x):
      activation = .relu
      return x
    case .binary(
      .minimum, .binary(.maximum, let x, .constant(let low, .float32)),
      .constant(let high, .float32)),
      .binary(
        .maximum, .binary(.minimum, let x, .constant(let high, .float32)),
        .constant(let low, .float32)):
      guard low <= high else { return expression }
      activation = .clamp
      (lower, upper) = (Float(low), Float(high))
      return x
    default: return expression
    }
  }

  private static func terms(_ expression: ScalarExpression) -> [ScalarExpression] {
    if case .binary(.add, let a, let b) = expression { return terms(a) + terms(b) }
    return [expression]
  }

  private mutating func take(_ index: Int, _ request: TacticRequest, _ channelAxis: Int) -> Bool {
    let output = request.step.outputs[0]
    guard request.step.inputs.indices.contains(index), let view = request.step.inputs[index],
      view.dataType.isRealStorage
    else { return false }
    let expanded = view.expanded(to: output.shape)
    let varying = expanded.shape.indices.filter {
      expanded.shape[$0] > 1 && expanded.strides[$0] != 0
    }
    if varying.allSatisfy({ $0 == channelAxis }), request.constants[index] != nil {
      biases.append(index)
      return true
    }
    guard residual == nil, view.shape == output.shape, expanded.isContiguous(along: channelAxis),
      view.strides.allSatisfy({ $0 >= 0 })
    else { return false }
    residual = index
    return true
  }

  /// One number for each channel: the sum of all biases and the offset; nil where there is none.
  func bias(_ request: TacticRequest, channelAxis: Int) -> [Float]? {
    guard !biases.isEmpty || offset != 0 else { return nil }
    let output = request.step.outputs[0]
    var sum = [Float](repeating: offset, count: output.shape[channelAxis])
    for index in biases {
      guard let view = request.step.inputs[index], let tensor = request.constants[index] else {
        continue
      }
      let stride = view.expanded(to: output.shape).strides[channelAxis]
      for channel in sum.indices {
        sum[channel] += tensor.realNumber(view.offset + channel * stride)
      }
    }
    return sum
  }

  var epilogue: ContractionEpilogue {
    ContractionEpilogue(activation: activation, lower: lower, upper: upper)
  }
}
