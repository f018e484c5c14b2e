import GraphModel
import KernelModel
import TensorModel

/// Pooling over a sliding window. Source: ONNX `MaxPool`, `AveragePool`, `LpPool`.
struct PoolOperator: Operator {
  static let spellings = [
    Spelling.onnx("MaxPool"), Spelling.onnx("AveragePool"), Spelling.onnx("LpPool"),
  ]

  private let spatial: SpatialAttributes
  private let function: Window.Function
  private let roundsUp: Bool
  private let indices: Window.Indices

  init(_ attributes: AttributeReader) throws(OperatorError) {
    spatial = try SpatialAttributes(attributes)
    roundsUp = try attributes.bool("ceil_mode", default: false)
    indices = try attributes.bool("storage_order", default: false) ? .columnMajor : .rowMajor
    switch attributes.name {
    case "MaxPool": function = .maximum
    case "AveragePool":
      function = .average(countsPadding: try attributes.bool("count_include_pad", default: false))
    default: function = .norm(p: try normOrder(attributes))
    }
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    let extents = try x.spatialExtents()
    let kernel = try spatial.requiredKernel(extents.count)
    let pads = try spatial.pads(extents: extents, kernel: kernel.map { Dimension($0) })
    let wantsIndices = function == .maximum && expansion.wants(1)
    let window = Window(
      function, kernel: kernel, strides: try spatial.strides(extents.count),
      dilations: try spatial.dilations(extents.count), padsBefore: pads.before,
      padsAfter: pads.after, roundsUp: roundsUp, indices: wantsIndices ? indices : .none)
    for (index, output) in try expansion.emitAll(.window(window), [x]).enumerated() {
      expansion.set(index, output)
    }
  }
}

/// Pooling over all of space. Source: ONNX `GlobalAveragePool`, `GlobalMaxPool`, `GlobalLpPool`.
struct GlobalPoolOperator: Operator {
  static let spellings = [
    Spelling.onnx("GlobalAveragePool"), Spelling.onnx("GlobalMaxPool"),
    Spelling.onnx("GlobalLpPool"),
  ]

  private let name: String
  private let order: Int

  init(_ attributes: AttributeReader) throws(OperatorError) {
    name = attributes.name
    order = try name == "GlobalLpPool" ? normOrder(attributes) : 2
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    _ = try x.spatialExtents()
    var reduction = Reduction(.mean, axes: Array(2..<x.rank), keepsDimensions: true)
    switch name {
    case "GlobalAveragePool": break
    case "GlobalMaxPool": reduction.function = .maximum
    default:
      switch order {
      case 1: reduction.function = .l1Norm
      case 2: reduction.function = .l2Norm
      default:
        let power = ScalarExpression.constant(Double(order), x.dataType)
        let root = ScalarExpression.constant(1 / Double(order), x.dataType)
        reduction.function = .sum
        reduction.prologue = .binary(.power, .unary(.absolute, .operand(0)), power)
        reduction.epilogue = .binary(.power, .operand(0), root)
      }
    }
    expansion.set(0, try expansion.emit(.reduction(reduction), [x]))
  }
}

/// The order of an Lp norm; version 1 wrote it as a number with a fraction.
private func normOrder(_ attributes: AttributeReader) throws(OperatorError) -> Int {
  let order: Int
  if attributes.version < 2, case .float(let number)? = attributes.record.attributes["p"] {
    order = Int(exactly: number) ?? 0
  } else {
    order = try attributes.int("p", default: 2)
  }
  guard order > 0 else { throw OperatorError("attribute 'p' is \(order), expected 1 or more") }
  return order
}
