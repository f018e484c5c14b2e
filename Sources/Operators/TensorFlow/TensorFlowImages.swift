import GraphModel
import KernelModel
import TensorModel

/// Windows of images as channels, and the extremum of windows and a filter. Source: TensorFlow
/// `ExtractImagePatches`, `Dilation2D`.
struct TensorFlowPatches: Operator {
  static let spellings = [
    Spelling.tensorflow("ExtractImagePatches"), .tensorflow("Dilation2D"),
  ]

  private let takesMaximum: Bool
  private let kernel: [Int]
  private let strides: [Int]
  private let rates: [Int]
  private let isSame: Bool

  init(_ attributes: AttributeReader) throws(OperatorError) {
    takesMaximum = attributes.name == "Dilation2D"
    kernel = try attributes.ints("ksizes") ?? [1, 1, 1, 1]
    strides = try attributes.ints("strides") ?? []
    rates = try attributes.ints("rates") ?? []
    isSame = try attributes.string("padding", default: "VALID") == "SAME"
    for list in [kernel, strides, rates] {
      guard list.count == 4, list[0] == 1, list[3] == 1,
        list.allSatisfy({ (1...65536).contains($0) })
      else { throw OperatorError("sizes, strides or rates \(list) are not supported") }
    }
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    guard x.rank == 4 else { throw OperatorError("x is \(x.type), expected images") }
    var extents = [kernel[1], kernel[2]]
    if takesMaximum {
      let filter = try expansion.input(1)
      guard filter.rank == 3, let height = filter.shape[0].constant,
        let width = filter.shape[1].constant
      else { throw OperatorError("the filter is \(filter.type)") }
      extents = [height, width]
    }
    guard extents[0] * extents[1] <= 4096 else {
      throw OperatorError("windows of \(extents) pixels are not supported")
    }
    var before: [Dimension] = [0, 0, 0, 0], after = before
    var counts: [Dimension] = []
    for axis in 0..<2 {
      let reach = (extents[axis] - 1) * rates[axis + 1] + 1
      let extent = x.shape[axis + 1], step = Dimension(strides[axis + 1])
      if isSame {
        let count = extent.ceilingDivided(by: step)
        let total = Dimension.larger(0, (count - 1) * step + Dimension(reach) - extent)
        before[axis + 1] = total.floorDivided(by: 2)
        after[axis + 1] = total - before[axis + 1]
        counts.append(count)
      } else {
        counts.append((extent - Dimension(reach)).floorDivided(by: step) + 1)
      }
    }
    let outside = takesMaximum ? -Double(Float.greatestFiniteMagnitude) : 0
    let padded =
      isSame
      ? try expansion.emit(.copy(.pad(.constant(outside), before: before, after: after)), [x]) : x
    var parts: [Operand] = []
    for row in 0..<extents[0] {
      for column in 0..<extents[1] {
        let starts = [0, Dimension(row * rates[1]), Dimension(column * rates[2]), 0]
        parts.append(
          try expansion.emit(
            .copy(
              .slice(
                starts: starts, sizes: [x.shape[0], counts[0], counts[1], x.shape[3]],
                steps: strides)), [padded]))
      }
    }
    expansion.set(
      0,
      takesMaximum
        ? try maximum(parts, extents, &expansion) : try expansion.concatenate(parts, axis: 3))
  }

  private func maximum(
    _ parts: [Operand], _ extents: [Int], _ expansion: inout Expansion
  ) throws(OperatorError) -> Operand {
    let filter = try expansion.input(1)
    let rows = try expansion.reshape(
      filter, [Dimension(extents[0] * extents[1]), filter.shape[2]])
    var result: Operand?
    for (index, part) in parts.enumerated() {
      let row = try expansion.reshape(
        try expansion.slice(rows, axis: 0, start: Dimension(index), count: 1), [filter.shape[2]])
      guard let best = result else {
        result = try expansion.pointwise(.operand(0) + .operand(1), [part, row])
        continue
      }
      result = try expansion.pointwise(
        .maximum(.operand(0), .operand(1) + .operand(2)), [best, part, row])
    }
    guard let result else { throw OperatorError("the filter is empty") }
    return result
  }
}

/// Pixels moved away from the mean of their image. Source: TensorFlow `AdjustContrastv2`.
struct TensorFlowContrast: Operator {
  static let spellings = [Spelling.tensorflow("AdjustContrastv2")]

  init(_ attributes: AttributeReader) throws(OperatorError) {}

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let (x, factor) = (try expansion.input(0), try expansion.input(1))
    guard x.rank >= 3 else { throw OperatorError("x is \(x.type), expected images") }
    let mean = try expansion.reduce(
      .mean, x, axes: [x.rank - 3, x.rank - 2], keepsDimensions: true)
    let formula =
      (ScalarExpression.operand(0) - .operand(1)) * .cast(.operand(2), x.dataType) + .operand(1)
    expansion.set(0, try expansion.pointwise(formula, [x, mean, factor]))
  }
}

/// Colours in another space. Source: TensorFlow `RGBToHSV`, `HSVToRGB`.
struct TensorFlowColours: Operator {
  static let spellings = [Spelling.tensorflow("RGBToHSV"), .tensorflow("HSVToRGB")]

  private let toRGB: Bool

  init(_ attributes: AttributeReader) throws(OperatorError) {
    toRGB = attributes.name == "HSVToRGB"
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    guard x.rank > 0, x.shape[x.rank - 1].constant == 3 else {
      throw OperatorError("x is \(x.type), expected three channels last")
    }
    var channels: [Operand] = []
    for index in 0..<3 {
      channels.append(
        try expansion.slice(x, axis: x.rank - 1, start: Dimension(index), count: 1))
    }
    var results: [Operand] = []
    for formula in toRGB ? Self.rgb : Self.hsv {
      results.append(try expansion.pointwise(formula.adapted(to: x.dataType), channels))
    }
    expansion.set(0, try expansion.concatenate(results, axis: x.rank - 1))
  }

  private static let (a, b, c) = (
    ScalarExpression.operand(0), ScalarExpression.operand(1), ScalarExpression.operand(2)
  )

  private static var hsv: [ScalarExpression] {
    let value = ScalarExpression.maximum(a, .maximum(b, c))
    let range = value - .minimum(a, .minimum(b, c))
    let unit = ScalarExpression.float(1) / (.float(6) * range)
    let hue = ScalarExpression.select(
      .equal(a, value), unit * (b - c),
      .select(
        .equal(b, value), unit * (c - a) + .float(2.0 / 6), unit * (a - b) + .float(4.0 / 6)))
    let known = ScalarExpression.select(.greater(range, .float(0)), hue, .float(0))
    return [
      .select(.less(known, .float(0)), known + .float(1), known),
      .select(.greater(value, .float(0)), range / value, .float(0)), value,
    ]
  }

  private static var rgb: [ScalarExpression] {
    let turn = a * .float(6)
    func away(_ centre: Double) -> ScalarExpression {
      .unary(.absolute, turn - .float(centre))
    }
    func clamped(_ x: ScalarExpression) -> ScalarExpression {
      .minimum(.maximum(x, .float(0)), .float(1))
    }
    let weights = [
      clamped(away(3) - .float(1)), clamped(.float(2) - away(2)), clamped(.float(2) - away(4)),
    ]
    return weights.map { (.float(1) - b + b * $0) * c }
  }
}
