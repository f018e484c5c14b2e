import GraphModel
import KernelModel
import TensorModel

/// Convolution in any number of spatial axes. Source: ONNX `Conv`; ONNX Runtime `FusedConv`, which adds a
/// residual and applies an activation.
struct ConvOperator: Operator {
  static let spellings = [
    Spelling.onnx("Conv"), Spelling.onnx(domain: "com.microsoft", "FusedConv"),
  ]

  private let spatial: SpatialAttributes
  private let groups: Int
  private let activation: ActivationFunction?

  init(_ attributes: AttributeReader) throws(OperatorError) {
    spatial = try SpatialAttributes(attributes)
    groups = try attributes.int("group", default: 1)
    let name = try attributes.string("activation", default: "")
    var parameters = try attributes.floats("activation_params") ?? []
    activation =
      name.isEmpty ? nil : try ActivationFunction(name, takingFrom: &parameters)
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0), weights = try expansion.input(1)
    let extents = try x.spatialExtents()
    guard weights.rank == x.rank else {
      throw OperatorError("x has shape \(x.shape) and the weights \(weights.shape)")
    }
    let kernel = Array(weights.shape.dimensions[2...])
    let pads = try spatial.pads(extents: extents, kernel: kernel)
    var epilogue = ScalarExpression.operand(0)
    var inputs: [Operand?] = [x, weights]
    if let bias = expansion.optionalInput(2) {
      inputs.append(try expansion.perChannel(bias, spatialRank: extents.count))
      epilogue = epilogue + .operand(inputs.count - 2)
    }
    if let residual = expansion.optionalInput(3) {
      inputs.append(residual)
      epilogue = epilogue + .operand(inputs.count - 2)
    }
    if let activation { epilogue = activation.expression(x.dataType).substituting([epilogue]) }
    let convolution = Convolution(
      strides: try spatial.strides(extents.count), dilations: try spatial.dilations(extents.count),
      padsBefore: pads.before, padsAfter: pads.after, groups: groups, epilogue: epilogue)
    expansion.set(0, try expansion.emit(.convolution(convolution), inputs))
  }
}

/// The transpose of a convolution. Source: ONNX `ConvTranspose`.
struct ConvTransposeOperator: Operator {
  static let spellings = [Spelling.onnx("ConvTranspose")]

  private let spatial: SpatialAttributes
  private let groups: Int
  private let outputShape: [Int]?
  private let outputPadding: [Int]?

  init(_ attributes: AttributeReader) throws(OperatorError) {
    spatial = try SpatialAttributes(attributes)
    groups = try attributes.int("group", default: 1)
    outputShape = try attributes.ints("output_shape").flatMap { $0.isEmpty ? nil : $0 }
    outputPadding = try attributes.ints("output_padding").flatMap { $0.isEmpty ? nil : $0 }
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0), weights = try expansion.input(1)
    let extents = try x.spatialExtents()
    guard weights.rank == x.rank else {
      throw OperatorError("x has shape \(x.shape) and the weights \(weights.shape)")
    }
    var convolution = Convolution(
      strides: try spatial.strides(extents.count), dilations: try spatial.dilations(extents.count),
      padsBefore: [], padsAfter: [], groups: groups, isTransposed: true,
      outputPadding: outputPadding ?? [])
    guard convolution.outputPadding.count == extents.count,
      convolution.outputPadding.allSatisfy({ $0 >= 0 })
    else {
      throw OperatorError(
        "attribute 'output_padding' is \(convolution.outputPadding), expected \(extents.count) "
          + "numbers that are not negative")
    }
    try setPads(&convolution, extents, kernel: Array(weights.shape.dimensions[2...]))
    var inputs: [Operand?] = [x, weights]
    if let bias = expansion.optionalInput(2) {
      inputs.append(try expansion.perChannel(bias, spatialRank: extents.count))
      convolution.epilogue = .operand(0) + .operand(1)
    }
    expansion.set(0, try expansion.emit(.convolution(convolution), inputs))
  }

  private func setPads(
    _ convolution: inout Convolution, _ extents: [Dimension], kernel: [Dimension]
  ) throws(OperatorError) {
    let isSame = spatial.automaticPadding == .sameUpper || spatial.automaticPadding == .sameLower
    let targets: [Dimension]
    if let outputShape {
      // Some exporters write batch and channels too.
      guard outputShape.count == extents.count || outputShape.count == extents.count + 2 else {
        throw OperatorError(
          "attribute 'output_shape' is \(outputShape), expected \(extents.count) extents")
      }
      targets = outputShape.suffix(extents.count).map { Dimension($0) }
    } else if isSame {
      targets = zip(extents, convolution.strides).map { $0 * Dimension($1) }
    } else {
      let pads = try spatial.writtenPads(extents.count)
      (convolution.padsBefore, convolution.padsAfter) = (pads.before, pads.after)
      return
    }
    var totals: [Dimension] = []
    for axis in extents.indices {
      let reach = (kernel[axis] - 1) * Dimension(convolution.dilations[axis]) + 1
      let whole =
        (extents[axis] - 1) * Dimension(convolution.strides[axis])
        + Dimension(convolution.outputPadding[axis]) + reach
      var total = whole - targets[axis]
      if let excess = total.constant, excess < 0 {
        // The output is larger than what the kernel reaches.
        let (padding, overflow) = convolution.outputPadding[axis].subtractingReportingOverflow(
          excess)
        guard !overflow else { throw OperatorError("'output_shape' is out of range") }
        convolution.outputPadding[axis] = padding
        total = 0
      }
      totals.append(total)
    }
    let pads = spatial.split(totals)
    (convolution.padsBefore, convolution.padsAfter) = (pads.before, pads.after)
  }
}
