import KernelModel
import ProgramModel
import TensorModel

/// How windows lie over elements along spatial axes, all of it known: window `w` and tap `k` meet at element
/// `w * stride + k * dilation - pad`.
struct SlidingGeometry: Sendable {
  var windows: [Int]
  var elements: [Int]
  var kernel: [Int]
  var strides: [Int]
  var dilations: [Int]
  var pads: [Int]
  var padsAfter: [Int]

  /// Nil where a number is not known or leaves 31 bits.
  init?(
    windows: [Int], elements: [Int], kernel: [Int], strides: [Int], dilations: [Int],
    padsBefore: [Dimension], padsAfter: [Dimension]
  ) {
    guard let pads = Shape(padsBefore).constants, let after = Shape(padsAfter).constants,
      [elements.count, kernel.count, strides.count, dilations.count, pads.count, after.count]
        .allSatisfy({ $0 == windows.count })
    else { return nil }
    for axis in windows.indices {
      let reach =
        Double(windows[axis]) * Double(strides[axis]) + Double(kernel[axis])
        * Double(dilations[axis]) + abs(Double(pads[axis])) + abs(Double(after[axis]))
      guard reach + Double(elements[axis]) < 0x1p30 else { return nil }
    }
    self.windows = windows
    self.elements = elements
    self.kernel = kernel
    self.strides = strides
    self.dilations = dilations
    self.pads = pads
    self.padsAfter = after
  }

  var rank: Int { windows.count }
  var taps: Int { kernel.reduce(1, *) }

  /// One spatial axis as two, of which the first has extent 1.
  func asImage() -> SlidingGeometry {
    guard rank == 1 else { return self }
    var copy = self
    copy.windows.insert(1, at: 0)
    copy.elements.insert(1, at: 0)
    copy.kernel.insert(1, at: 0)
    copy.strides.insert(1, at: 0)
    copy.dilations.insert(1, at: 0)
    copy.pads.insert(0, at: 0)
    copy.padsAfter.insert(0, at: 0)
    return copy
  }

  /// Elements that `count` neighbouring windows of an axis span.
  func span(_ axis: Int, windows count: Int) -> Int {
    (count - 1) * strides[axis] + (kernel[axis] - 1) * dilations[axis] + 1
  }
}

/// A convolution with what its kernels need to know.
struct ConvolutionStep: Sendable {
  var x: View
  var weights: View
  let groups: Int
  let isTransposed: Bool
  /// Windows are the outputs, or, transposed, the elements of x.
  var geometry: SlidingGeometry
  var epilogue: DirectEpilogue
  /// What x is taken to hold beside its elements.
  let padValue: Int
  let weightsAreConstant: Bool

  init?(_ request: CUDARequest) {
    guard case .convolution(let problem) = request.step.problem, request.step.inputs.count >= 2,
      let x = request.step.inputs[0], let weights = request.step.inputs[1], x.rank >= 3,
      let sum = x.dataType.sumOfProducts(with: weights.dataType),
      let epilogue = DirectEpilogue(request, valueType: sum), weights.rank == x.rank,
      problem.groups > 0
    else { return nil }
    let inside = Array(x.shape.dropFirst(2)), outside = Array(epilogue.output.shape.dropFirst(2))
    guard
      let geometry = SlidingGeometry(
        windows: problem.isTransposed ? inside : outside,
        elements: problem.isTransposed ? outside : inside,
        kernel: Array(weights.shape.dropFirst(2)), strides: problem.strides,
        dilations: problem.dilations, padsBefore: problem.padsBefore, padsAfter: problem.padsAfter)
    else { return nil }
    self.x = x
    self.weights = weights
    padValue = problem.padValue
    self.geometry = geometry
    self.epilogue = epilogue
    groups = problem.groups
    isTransposed = problem.isTransposed
    weightsAreConstant = request.isConstant[1]
  }

  var output: View { epilogue.output }
  /// Channels of each group.
  var groupInputs: Int { x.shape[1] / groups }
  var groupOutputs: Int { output.shape[1] / groups }
  var accumulator: Accumulator { Accumulator(x.dataType) }
  /// The parameters of a kernel for x and the weights.
  var factorParameters: [String] {
    [
      "const \(DirectText.storage(x.dataType))* __restrict__ x",
      "const \(DirectText.storage(weights.dataType))* __restrict__ w",
    ]
  }
  var multiplyAdds: Double {
    let pixels = Double(isTransposed ? x.elementCount : output.elementCount)
    return pixels * Double(geometry.taps) * Double(isTransposed ? groupOutputs : groupInputs)
  }

  /// The step with two spatial axes; nil where it has more.
  func asImage() -> ConvolutionStep? {
    guard x.rank <= 4 else { return nil }
    guard x.rank == 3 else { return self }
    var copy = self
    copy.x = x.asImage()
    copy.weights = weights.asImage()
    copy.geometry = geometry.asImage()
    copy.epilogue = epilogue.insertingAxis(at: 2)
    return copy
  }
}
