import GraphModel
import KernelModel
import TensorModel

/// Interpolation to other extents. Source: ONNX `Resize`, `Upsample`.
struct ResizeOperator: DataDependentOperator {
  static let spellings = [Spelling.onnx("Resize", 10...99), Spelling.onnx("Upsample", 1...10)]

  private enum AspectRatio {
    case stretch, notLarger, notSmaller
  }

  private let interpolation: Resample.Interpolation
  private let coordinates: Resample.Coordinates
  private let aspectRatio: AspectRatio
  private let axes: [Int]?
  private let excludesOutside: Bool
  private let extrapolation: Double
  /// Upsample before version 9.
  private let writtenScales: [Double]?
  private let scalesInput: Int
  /// Version 10 takes the next element where an axis shrinks, the one before where it grows.
  private let roundsUpWhereSmaller: Bool

  init(_ attributes: AttributeReader) throws(OperatorError) {
    // Upsample, and the first version of Resize, have no choice of coordinates.
    let isPlain = attributes.name == "Upsample" || attributes.version < 11
    scalesInput = isPlain ? 1 : 2
    roundsUpWhereSmaller = isPlain && attributes.name == "Resize"
    writtenScales = try Self.scales(attributes)
    axes = try attributes.ints("axes")
    excludesOutside = try attributes.bool("exclude_outside", default: false)
    extrapolation = try attributes.float("extrapolation_value", default: 0)
    aspectRatio = try attributes.choice(
      "keep_aspect_ratio_policy", default: "stretch",
      ["stretch": .stretch, "not_larger": .notLarger, "not_smaller": .notSmaller])
    let name = try attributes.string(
      "coordinate_transformation_mode", default: isPlain ? "asymmetric" : "half_pixel")
    let rounding: Resample.Rounding = try attributes.choice(
      "nearest_mode", default: isPlain ? "floor" : "round_prefer_floor",
      [
        "round_prefer_floor": .preferFloor, "round_prefer_ceil": .preferCeiling, "floor": .floor,
        "ceil": .ceiling,
      ])
    if name == "tf_half_pixel_for_nn" {
      guard rounding == .floor else {
        throw OperatorError("'tf_half_pixel_for_nn' is supported with nearest_mode 'floor' only")
      }
      // floor((x + 0.5) / scale) is the half-pixel coordinate, rounded.
      coordinates = .halfPixel
      interpolation = try Self.interpolation(attributes, .preferCeiling)
      return
    }
    coordinates = try attributes.choice(
      "coordinate_transformation_mode", default: name,
      [
        "half_pixel": .halfPixel, "half_pixel_symmetric": .halfPixelSymmetric,
        "pytorch_half_pixel": .pytorchHalfPixel, "align_corners": .alignCorners,
        "asymmetric": .asymmetric, "tf_crop_and_resize": .cropAndResize,
      ])
    interpolation = try Self.interpolation(attributes, rounding)
  }

  private static func scales(_ attributes: AttributeReader) throws(OperatorError) -> [Double]? {
    if let height = try attributes.float("height_scale"),
      let width = try attributes.float("width_scale")
    {
      return [1, 1, height, width]
    }
    return try attributes.floats("scales")
  }

  private static func interpolation(
    _ attributes: AttributeReader, _ rounding: Resample.Rounding
  ) throws(OperatorError) -> Resample.Interpolation {
    let antialias = try attributes.bool("antialias", default: false)
    let coefficient = try attributes.float("cubic_coeff_a", default: -0.75)
    let linear = Resample.Interpolation.linear(antialias: antialias)
    return try attributes.choice(
      "mode", default: "nearest",
      [
        "nearest": .nearest(rounding), "linear": linear, "bilinear": linear,
        "cubic": .cubic(coefficient: coefficient, antialias: antialias),
      ])
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    let axes =
      try axes?.map { (axis) throws(OperatorError) in
        try expansion.axis(axis, rank: x.rank)
      } ?? Array(0..<x.rank)
    guard Set(axes).count == axes.count else { throw OperatorError("axes \(axes) repeat") }
    guard let extents = try extents(expansion, x, axes),
      let region = try region(expansion, axes, rank: x.rank)
    else {
      return try emitHostOrFold(
        &expansion, outputs: [TensorType(x.dataType, expansion.unknownShape(rank: x.rank))])
    }
    let isIdentity =
      extents.shape == x.shape && coordinates != .cropAndResize
      && extents.scales?.allSatisfy { $0 == 1 } ?? true
    if isIdentity { return expansion.set(0, x) }
    if roundsUpWhereSmaller, case .nearest = interpolation {
      return expansion.set(0, try nearest(&expansion, x, extents))
    }
    let resample = Resample(
      interpolation, coordinates: coordinates, shape: extents.shape, scales: extents.scales,
      regionOfInterest: region, extrapolation: extrapolation, excludesOutside: excludesOutside)
    expansion.set(0, try expansion.emit(.resample(resample), [x]))
  }

  /// The axes that shrink, then those that grow.
  private func nearest(
    _ expansion: inout Expansion, _ x: Operand, _ extents: Extents
  ) throws(OperatorError) -> Operand {
    var result = x
    for shrinks in [true, false] {
      var shape = result.shape
      var scales = [Double](repeating: 1, count: x.rank)
      for (axis, scale) in (extents.scales ?? []).enumerated() where (scale < 1) == shrinks {
        shape[axis] = extents.shape[axis]
        scales[axis] = scale
      }
      guard scales.contains(where: { $0 != 1 }) else { continue }
      let resample = Resample(
        .nearest(shrinks ? .ceiling : .floor), coordinates: coordinates, shape: shape,
        scales: scales)
      result = try expansion.emit(.resample(resample), [result])
    }
    return result
  }

  private struct Extents {
    var shape: Shape
    /// Nil: the quotients of the extents.
    var scales: [Double]?
  }

  /// Nil where data decide.
  private func extents(
    _ expansion: Expansion, _ x: Operand, _ axes: [Int]
  ) throws(OperatorError) -> Extents? {
    if let writtenScales { return try scaled(x, writtenScales, axes) }
    if let input = expansion.optionalInput(3), input.shape.elementCount.constant != 0 {
      return try expansion.dimensions(input).flatMap { (sizes) throws(OperatorError) in
        try sized(x, sizes, axes)
      }
    }
    guard let input = expansion.optionalInput(scalesInput) else {
      throw OperatorError("neither scales nor sizes are given")
    }
    return try expansion.numbers(input).map { (scales) throws(OperatorError) in
      try scaled(x, scales, axes)
    }
  }

  private func scaled(
    _ x: Operand, _ scales: [Double], _ axes: [Int]
  ) throws(OperatorError) -> Extents {
    guard scales.count == axes.count else {
      throw OperatorError("\(scales.count) scales for \(axes.count) axes")
    }
    var result = Extents(shape: x.shape, scales: Array(repeating: 1, count: x.rank))
    for (axis, scale) in zip(axes, scales) {
      guard let factor = ScaleFactor(scale) else {
        throw OperatorError("scale \(scale) is not a positive number of ordinary size")
      }
      result.shape[axis] = factor.scaling(x.shape[axis])
      result.scales?[axis] = factor.value
    }
    return result
  }

  private func sized(
    _ x: Operand, _ sizes: [Dimension], _ axes: [Int]
  ) throws(OperatorError) -> Extents? {
    guard sizes.count == axes.count else {
      throw OperatorError("\(sizes.count) sizes for \(axes.count) axes")
    }
    var result = Extents(shape: x.shape, scales: nil)
    guard aspectRatio == .stretch else { return try fitted(x, sizes, axes) }
    for (axis, size) in zip(axes, sizes) { result.shape[axis] = size }
    return result
  }

  /// The sizes with the proportions of x kept; nil where extents are not known yet.
  private func fitted(
    _ x: Operand, _ sizes: [Dimension], _ axes: [Int]
  ) throws(OperatorError) -> Extents? {
    var ratios: [Double] = []
    for (axis, size) in zip(axes, sizes) {
      guard let extent = x.shape[axis].constant, let size = size.constant else { return nil }
      guard extent > 0 else { throw OperatorError("axis \(axis) of x is empty") }
      ratios.append(Double(size) / Double(extent))
    }
    let smallest = ratios.min() ?? 1, largest = ratios.max() ?? 1
    let scale = aspectRatio == .notLarger ? smallest : largest
    var result = Extents(shape: x.shape, scales: Array(repeating: 1, count: x.rank))
    for axis in axes {
      let extent = (Double(x.shape[axis].constant ?? 0) * scale + 0.5).rounded(.down)
      guard let size = Int(exactly: extent) else { throw OperatorError("a size is out of range") }
      result.shape[axis] = Dimension(size)
      result.scales?[axis] = scale
    }
    return result
  }

  /// Starts and ends for every axis; empty where they do not matter, nil where they are data.
  private func region(
    _ expansion: Expansion, _ axes: [Int], rank: Int
  ) throws(OperatorError) -> [Double]? {
    guard coordinates == .cropAndResize else { return [] }
    guard let input = expansion.optionalInput(1) else {
      throw OperatorError("'tf_crop_and_resize' needs input 1 ('roi')")
    }
    guard let given = expansion.numbers(input) else { return nil }
    guard given.count == 2 * axes.count else {
      throw OperatorError("\(given.count) numbers in 'roi' for \(axes.count) axes")
    }
    var region = [Double](repeating: 0, count: rank) + [Double](repeating: 1, count: rank)
    for (index, axis) in axes.enumerated() {
      region[axis] = given[index]
      region[rank + axis] = given[axes.count + index]
    }
    return region
  }
}
