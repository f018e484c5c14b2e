import KernelModel
import ProgramModel
package import TensorModel

/// A convolution of images whose channels lie side by side that a library computes:
/// `output = activation(convolution(x) + residual + bias)`, everything of one type, sums in single precision.
package struct LibraryConvolution: Hashable, Sendable {
  /// Elements without gaps, channels innermost.
  package struct Image: Hashable, Sendable {
    package var argument: KernelLaunch.Argument
    package var batch: Int
    package var channels: Int
    package var height: Int
    package var width: Int
  }

  /// How windows lie along one axis.
  package struct Axis: Hashable, Sendable {
    package var taps: Int
    package var stride: Int
    package var dilation: Int
    /// On both sides.
    package var padding: Int
  }

  package var dataType: DataType
  package var x: Image
  /// `[output channels][height][width][channels of a group]`.
  package var weights: KernelLaunch.Argument
  package var groups: Int
  package var vertical: Axis
  package var horizontal: Axis
  package var output: Image
  /// One number for each channel of the output.
  package var bias: KernelLaunch.Argument?
  /// Lies as the output does.
  package var residual: KernelLaunch.Argument?
  /// Whether what is less than zero becomes zero.
  package var isRectified: Bool
  package var workspace: KernelLaunch.Argument
  package var workspaceBytes: Int
  /// Which of the library's suggestions, from 0.
  package var choice: Int

  package var arguments: [KernelLaunch.Argument] {
    [x.argument, weights, output.argument] + [bias, residual].compactMap { $0 }
  }

  /// Whether the library does more than to add up products.
  package var isFused: Bool { bias != nil || residual != nil || isRectified }

  package var multiplyAdds: Double {
    let pixels = Double(output.batch) * Double(output.height) * Double(output.width)
    return pixels * Double(output.channels) * Double(x.channels / groups)
      * Double(vertical.taps * horizontal.taps)
  }
}

extension LibraryConvolution {
  /// The convolution, with weights where the step has them, and what is left of the epilogue; nil where the library
  /// cannot do it.
  static func of(
    _ request: CUDARequest, workspaceBytes: Int
  ) -> (LibraryConvolution, ScalarExpression?)? {
    guard let step = ConvolutionStep(request)?.asImage(), !step.isTransposed,
      let view = request.step.outputs.first, step.weightsAreConstant, step.padValue == 0,
      [.float32, .float16, .bfloat16].contains(step.x.dataType),
      step.weights.dataType == step.x.dataType, step.output.dataType == step.x.dataType,
      request.step.inputs.allSatisfy({ $0 != nil }),
      step.x.elementCount > 0, step.weights.elementCount > 0, step.output.elementCount > 0,
      step.x.shape[1] == step.weights.shape[1] * step.groups,
      step.output.shape[1] % step.groups == 0,
      let vertical = axis(step.geometry, 0), let horizontal = axis(step.geometry, 1),
      let x = image(step.x, .input(0)), let output = image(step.output, .output(0)),
      let epilogue = ContractionEpilogue(
        request.step,
        OutputAxes(batch: [], rows: [0] + Array(2..<view.rank), column: 1)),
      let parts = RectifiedSum.divide(epilogue.expression),
      let (bias, residual) = roles(epilogue, parts.terms)
    else { return nil }
    // A second pass over results of 16 bits would round them twice.
    guard parts.rest == nil || step.x.dataType == .float32 else { return nil }
    // The library multiplies 11 bits of each factor, kernels 16.
    guard request.step.arithmetic == .exact || step.groupInputs == 1 else { return nil }
    let convolution = LibraryConvolution(
      dataType: step.x.dataType, x: x, weights: .input(1),
      groups: step.groups, vertical: vertical, horizontal: horizontal, output: output,
      bias: bias?.argument, residual: residual?.argument, isRectified: parts.isRectified,
      workspace: .workspace(0), workspaceBytes: workspaceBytes, choice: 0)
    return (convolution, parts.rest)
  }

  /// Nil where padding on both sides would give another number of windows.
  private static func axis(_ geometry: SlidingGeometry, _ index: Int) -> Axis? {
    let axis = Axis(
      taps: geometry.kernel[index], stride: geometry.strides[index],
      dilation: geometry.dilations[index], padding: geometry.pads[index])
    let reach = (axis.taps - 1) * axis.dilation + 1
    let room = geometry.elements[index] + 2 * axis.padding - reach
    guard axis.padding >= 0, axis.stride > 0, axis.dilation > 0, room >= 0,
      room / axis.stride + 1 == geometry.windows[index]
    else { return nil }
    return axis
  }

  /// Nil where elements do not lie side by side, channels innermost, from a multiple of 16 bytes on.
  private static func image(_ view: View, _ argument: KernelLaunch.Argument) -> Image? {
    let dense = View.strides(shape: view.shape, order: [0, 2, 3, 1])
    guard view.offset * view.dataType.byteCount % 16 == 0,
      view.shape.indices.allSatisfy({ view.shape[$0] == 1 || view.strides[$0] == dense[$0] })
    else { return nil }
    return Image(
      argument: argument, batch: view.shape[0], channels: view.shape[1], height: view.shape[2],
      width: view.shape[3])
  }

  private typealias Place = ContractionEpilogue.Place

  /// Which operand is the bias and which the residual.
  private static func roles(
    _ epilogue: ContractionEpilogue, _ terms: [Int]
  ) -> (bias: Place?, residual: Place?)? {
    let output = epilogue.output
    var bias: Place?
    var residual: Place?
    for term in terms where term > 0 {
      guard epilogue.operands.indices.contains(term - 1) else { return nil }
      let place = epilogue.operands[term - 1]
      guard place.type == output.type, place.columnStride == 1 || epilogue.columns == 1,
        place.offset * place.type.byteCount % 16 == 0
      else { return nil }
      let rows = epilogue.rows.indices.filter { epilogue.rows[$0] > 1 }
      if bias == nil, rows.allSatisfy({ place.rowStrides[$0] == 0 }) {
        bias = place
      } else if residual == nil,
        rows.allSatisfy({ place.rowStrides[$0] == output.rowStrides[$0] })
      {
        residual = place
      } else {
        return nil
      }
    }
    return (bias, residual)
  }
}
