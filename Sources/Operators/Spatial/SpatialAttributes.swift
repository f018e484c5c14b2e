import GraphModel
import KernelModel
import TensorModel

/// The attributes that convolutions and pooling share: kernel, strides, dilations and padding.
struct SpatialAttributes {
  enum AutomaticPadding {
    case none, valid, sameUpper, sameLower
  }

  /// Pads of every spatial axis.
  struct Pads {
    var before: [Dimension]
    var after: [Dimension]
  }

  private let writtenStrides: [Int]?
  private let writtenDilations: [Int]?
  private let writtenPads: [Int]?
  let kernel: [Int]?
  let automaticPadding: AutomaticPadding

  init(_ attributes: AttributeReader) throws(OperatorError) {
    kernel = try attributes.ints("kernel_shape")
    writtenStrides = try attributes.ints("strides")
    writtenDilations = try attributes.ints("dilations")
    writtenPads = try attributes.ints("pads")
    automaticPadding = try attributes.choice(
      "auto_pad", default: "NOTSET",
      [
        "NOTSET": .none, "": .none, "VALID": .valid, "SAME_UPPER": .sameUpper,
        "SAME_LOWER": .sameLower,
      ])
  }

  func strides(_ count: Int) throws(OperatorError) -> [Int] {
    try positive(writtenStrides, "strides", count)
  }

  func dilations(_ count: Int) throws(OperatorError) -> [Int] {
    try positive(writtenDilations, "dilations", count)
  }

  /// The kernel's extents, which pooling must have.
  func requiredKernel(_ count: Int) throws(OperatorError) -> [Int] {
    guard let kernel else { throw OperatorError("attribute 'kernel_shape' is missing") }
    return try positive(kernel, "kernel_shape", count)
  }

  private func positive(
    _ values: [Int]?, _ name: String, _ count: Int
  ) throws(OperatorError) -> [Int] {
    guard let values, !values.isEmpty else { return Array(repeating: 1, count: count) }
    guard values.count == count, values.allSatisfy({ $0 > 0 }) else {
      throw OperatorError("attribute '\(name)' is \(values), expected \(count) positive numbers")
    }
    return values
  }

  /// The pads as written, before and after each of `count` axes.
  func writtenPads(_ count: Int) throws(OperatorError) -> Pads {
    guard let pads = writtenPads, !pads.isEmpty, automaticPadding == .none else {
      let zeros = [Dimension](repeating: 0, count: count)
      return Pads(before: zeros, after: zeros)
    }
    guard pads.count == 2 * count, pads.allSatisfy({ $0 >= 0 }) else {
      throw OperatorError(
        "attribute 'pads' is \(pads), expected \(2 * count) numbers that are not negative")
    }
    return Pads(
      before: pads[..<count].map { Dimension($0) }, after: pads[count...].map { Dimension($0) })
  }

  /// The pads of a window that slides over axes of the given extents.
  func pads(
    extents: [Dimension], kernel: [Dimension]
  ) throws(OperatorError) -> Pads {
    let count = extents.count
    guard automaticPadding == .sameUpper || automaticPadding == .sameLower else {
      return try writtenPads(count)
    }
    let strides = try strides(count), dilations = try dilations(count)
    let totals = (0..<count).map { axis in
      let stride = Dimension(strides[axis])
      let reach = (kernel[axis] - 1) * Dimension(dilations[axis]) + 1
      let windows = extents[axis].ceilingDivided(by: stride)
      return Dimension.larger(0, (windows - 1) * stride + reach - extents[axis])
    }
    return split(totals)
  }

  /// The smaller half goes before for `SAME_UPPER`, else after; what is negative goes after.
  func split(_ totals: [Dimension]) -> Pads {
    let before = totals.map { total in
      let positive = Dimension.larger(0, total)
      return automaticPadding == .sameUpper
        ? positive.floorDivided(by: 2) : positive.ceilingDivided(by: 2)
    }
    return Pads(before: before, after: zip(totals, before).map { $0 - $1 })
  }
}

extension Operand {
  /// The extents after batch and channels, of which there must be at least one.
  func spatialExtents() throws(OperatorError) -> [Dimension] {
    guard rank >= 3 else {
      throw OperatorError("x has shape \(shape), expected batch, channels and spatial axes")
    }
    return Array(shape.dimensions[2...])
  }
}
