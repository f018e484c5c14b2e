import GraphModel
import KernelModel
import TensorModel

/// What TensorFlow's operators over images share: where channels lie, strides and padding.
struct TensorFlowSpatial {
  /// Whether the channels are the last axis.
  let channelsLast: Bool
  private let writtenStrides: [Int]
  private let writtenDilations: [Int]
  private let padding: String
  private let explicitPads: [Int]

  init(_ attributes: AttributeReader) throws(OperatorError) {
    let layout = try attributes.string("data_format", default: "NHWC")
    channelsLast = !layout.hasPrefix("NC")
    guard ["NHWC", "NDHWC", "NCHW", "NCDHW"].contains(layout) else {
      throw OperatorError("attribute 'data_format' is '\(layout)', which is not supported")
    }
    writtenStrides = try attributes.ints("strides") ?? []
    writtenDilations = try attributes.ints("dilations") ?? []
    padding = try attributes.string("padding", default: "VALID")
    explicitPads = try attributes.ints("explicit_paddings") ?? []
  }

  /// The part of a list over all axes that is about space.
  func spatial(_ list: [Int], rank: Int, _ name: String) throws(OperatorError) -> [Int] {
    if list.isEmpty { return Array(repeating: 1, count: rank - 2) }
    guard list.count == rank, list.allSatisfy({ $0 > 0 }), list[0] == 1,
      list[channelsLast ? rank - 1 : 1] == 1
    else {
      throw OperatorError(
        "attribute '\(name)' is \(list), expected \(rank) positive numbers, 1 for batch and channels"
      )
    }
    return Array(channelsLast ? list[1..<(rank - 1)] : list[2...])
  }

  func strides(rank: Int) throws(OperatorError) -> [Int] {
    try spatial(writtenStrides, rank: rank, "strides")
  }

  func dilations(rank: Int) throws(OperatorError) -> [Int] {
    try spatial(writtenDilations, rank: rank, "dilations")
  }

  /// The pads of a window over the given extents.
  func pads(
    _ extents: [Dimension], kernel: [Dimension], rank: Int
  ) throws(OperatorError) -> SpatialAttributes.Pads {
    let none = [Dimension](repeating: 0, count: extents.count)
    switch padding {
    case "VALID": return SpatialAttributes.Pads(before: none, after: none)
    case "EXPLICIT":
      guard explicitPads.count == 2 * rank, explicitPads.allSatisfy({ $0 >= 0 }) else {
        throw OperatorError("attribute 'explicit_paddings' is \(explicitPads)")
      }
      let first = channelsLast ? 1 : 2
      let axes = first..<(first + extents.count)
      return SpatialAttributes.Pads(
        before: axes.map { Dimension(explicitPads[2 * $0]) },
        after: axes.map { Dimension(explicitPads[2 * $0 + 1]) })
    case "SAME":
      let strides = try strides(rank: rank), dilations = try dilations(rank: rank)
      var pads = SpatialAttributes.Pads(before: none, after: none)
      for axis in extents.indices {
        let stride = Dimension(strides[axis])
        let reach = (kernel[axis] - 1) * Dimension(dilations[axis]) + 1
        let windows = extents[axis].ceilingDivided(by: stride)
        let total = Dimension.larger(0, (windows - 1) * stride + reach - extents[axis])
        pads.before[axis] = total.floorDivided(by: 2)
        pads.after[axis] = total - pads.before[axis]
      }
      return pads
    default: throw OperatorError("attribute 'padding' is '\(padding)'")
    }
  }

  /// The input with channels first, as kernels want it.
  func channelsFirst(_ x: Operand, _ expansion: inout Expansion) throws(OperatorError) -> Operand {
    guard x.rank >= 3 else {
      throw OperatorError("x has shape \(x.shape), expected batch, spatial axes and channels")
    }
    guard channelsLast else { return x }
    return try expansion.transpose(x, [0, x.rank - 1] + Array(1..<(x.rank - 1)))
  }

  /// A result of a kernel in the layout of the model.
  func restored(_ y: Operand, _ expansion: inout Expansion) throws(OperatorError) -> Operand {
    channelsLast ? try expansion.transpose(y, [0] + Array(2..<y.rank) + [1]) : y
  }
}

/// Convolutions. Source: TensorFlow `Conv2D`, `Conv3D`, `DepthwiseConv2dNative`.
struct TensorFlowConvolution: Operator {
  static let spellings = [
    Spelling.tensorflow("Conv2D"), .tensorflow("Conv3D"), .tensorflow("DepthwiseConv2dNative"),
  ]

  private let spatial: TensorFlowSpatial
  private let isDepthwise: Bool

  init(_ attributes: AttributeReader) throws(OperatorError) {
    spatial = try TensorFlowSpatial(attributes)
    isDepthwise = attributes.name == "DepthwiseConv2dNative"
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try spatial.channelsFirst(try expansion.input(0), &expansion)
    var weights = try expansion.input(1)
    let rank = x.rank, axes = rank - 2
    guard weights.rank == rank, let channels = x.shape[1].constant, channels > 0,
      let perGroup = weights.shape[axes].constant, perGroup > 0
    else { throw OperatorError("x has shape \(x.shape) and the weights \(weights.shape)") }
    let kernel = Array(weights.shape.dimensions[..<axes])
    var groups = channels / perGroup
    if isDepthwise {
      guard perGroup == channels else {
        throw OperatorError("x has shape \(x.shape) and the weights \(weights.shape)")
      }
      // [kernel..., C, M] holds the M filters of each channel: [kernel..., 1, C * M].
      groups = channels
      weights = try expansion.reshape(
        weights, Shape(kernel + [1, weights.shape[axes] * weights.shape[axes + 1]]))
    }
    weights = try expansion.transpose(weights, [axes + 1, axes] + Array(0..<axes))
    let pads = try spatial.pads(Array(x.shape.dimensions[2...]), kernel: kernel, rank: rank)
    let convolution = Convolution(
      strides: try spatial.strides(rank: rank), dilations: try spatial.dilations(rank: rank),
      padsBefore: pads.before, padsAfter: pads.after, groups: groups)
    let y = try expansion.emit(.convolution(convolution), [x, weights])
    expansion.set(0, try spatial.restored(y, &expansion))
  }
}

/// The transpose of a convolution. Source: TensorFlow `Conv2DBackpropInput`, `Conv3DBackpropInputV2`.
struct TensorFlowTransposedConvolution: Operator {
  static let spellings = [
    Spelling.tensorflow("Conv2DBackpropInput"), .tensorflow("Conv3DBackpropInputV2"),
  ]

  private let spatial: TensorFlowSpatial

  init(_ attributes: AttributeReader) throws(OperatorError) {
    spatial = try TensorFlowSpatial(attributes)
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try spatial.channelsFirst(try expansion.input(2), &expansion)
    let stored = try expansion.input(1)
    let rank = x.rank
    guard let sizes = expansion.dimensions(try expansion.input(0)), sizes.count == rank else {
      throw OperatorError("the result's shape is not known")
    }
    guard stored.rank == rank else {
      throw OperatorError("x has shape \(x.shape) and the weights \(stored.shape)")
    }
    // [kernel..., M, C] becomes [C, M, kernel...].
    let weights = try expansion.transpose(stored, [rank - 1, rank - 2] + Array(0..<(rank - 2)))
    let wanted = Array(spatial.channelsLast ? sizes[1..<(rank - 1)] : sizes[2...])
    let kernel = Array(weights.shape.dimensions[2...])
    let strides = try spatial.strides(rank: rank)
    let pads = try spatial.pads(wanted, kernel: kernel, rank: rank)
    var after = pads.after
    var extra = [Int](repeating: 0, count: rank - 2)
    let dilations = try spatial.dilations(rank: rank)
    for axis in 0..<(rank - 2) {
      let reach = (kernel[axis] - 1) * Dimension(dilations[axis]) + 1
      let whole = (x.shape[axis + 2] - 1) * Dimension(strides[axis]) + reach
      let rest = whole - pads.before[axis] - wanted[axis]
      if let excess = rest.constant, excess < 0 {
        extra[axis] = excess == Int.min ? 0 : -excess
        after[axis] = 0
      } else {
        after[axis] = rest
      }
    }
    let convolution = Convolution(
      strides: strides, dilations: dilations, padsBefore: pads.before, padsAfter: after,
      isTransposed: true, outputPadding: extra)
    let y = try expansion.emit(.convolution(convolution), [x, weights])
    expansion.set(0, try spatial.restored(y, &expansion))
  }
}

/// Pooling. Source: TensorFlow `MaxPool`, `AvgPool`, `MaxPool3D`, `AvgPool3D`, `MaxPoolWithArgmax`.
struct TensorFlowPool: Operator {
  static let spellings = [
    Spelling.tensorflow("MaxPool"), .tensorflow("AvgPool"), .tensorflow("MaxPool3D"),
    .tensorflow("AvgPool3D"), .tensorflow("MaxPoolWithArgmax"),
  ]

  private let spatial: TensorFlowSpatial
  private let kernel: [Int]
  private let function: Window.Function
  /// The type of the places, and whether they count through the batch.
  private let places: (type: DataType, includeBatch: Bool)?

  init(_ attributes: AttributeReader) throws(OperatorError) {
    spatial = try TensorFlowSpatial(attributes)
    kernel = try attributes.ints("ksize") ?? []
    function = attributes.name.hasPrefix("Max") ? .maximum : .average(countsPadding: false)
    guard attributes.name == "MaxPoolWithArgmax" else {
      places = nil
      return
    }
    places = (
      try attributes.dataType("Targmax") ?? .int64,
      try attributes.bool("include_batch_in_index", default: false)
    )
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try spatial.channelsFirst(try expansion.input(0), &expansion)
    let kernel = try spatial.spatial(kernel, rank: x.rank, "ksize")
    let pads = try spatial.pads(
      Array(x.shape.dimensions[2...]), kernel: kernel.map { Dimension($0) }, rank: x.rank)
    var window = Window(
      function, kernel: kernel, strides: try spatial.strides(rank: x.rank),
      dilations: kernel.map { _ in 1 }, padsBefore: pads.before, padsAfter: pads.after)
    guard let places else {
      let y = try expansion.emit(.window(window), [x])
      return expansion.set(0, try spatial.restored(y, &expansion))
    }
    window.indices = .rowMajor
    let results = try expansion.emitAll(.window(window), [x])
    expansion.set(0, try spatial.restored(results[0], &expansion))
    // From [N, C, H, W] to the place that the pixel's channel has in [H, W, C] or [N, H, W, C].
    let pixels = expansion.extent(x.shape[2] * x.shape[3])
    let channels = expansion.extent(x.shape[1])
    let pixel = ScalarExpression.binary(.moduloFloor, .operand(0), .operand(1))
    let batch = ScalarExpression.index(axis: 0) * .operand(1)
    let place = (places.includeBatch ? batch + pixel : pixel) * .operand(2) + .index(axis: 1)
    let moved = try expansion.emit(
      .pointwise(Pointwise(place, shape: results[1].shape)), [results[1], pixels, channels])
    expansion.set(
      1, try expansion.cast(try spatial.restored(moved, &expansion), to: places.type))
  }
}

/// A vector added to every pixel. Source: TensorFlow `BiasAdd`.
struct TensorFlowBiasAdd: Operator {
  static let spellings = [Spelling.tensorflow("BiasAdd"), .tensorflow("BiasAddV1")]

  private let channelsLast: Bool

  init(_ attributes: AttributeReader) throws(OperatorError) {
    channelsLast = try !attributes.string("data_format", default: "NHWC").hasPrefix("NC")
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    var bias = try expansion.input(1)
    if !channelsLast, x.rank > 2 {
      bias = try expansion.unsqueeze(bias, axes: Array(1..<(x.rank - 1)))
    }
    expansion.set(0, try expansion.pointwise(.operand(0) + .operand(1), [x, bias]))
  }
}

/// Batch normalisation with stored statistics. Source: TensorFlow `FusedBatchNorm` and its versions.
struct TensorFlowBatchNormalization: Operator {
  static let spellings = [
    Spelling.tensorflow("FusedBatchNorm"), .tensorflow("FusedBatchNormV2"),
    .tensorflow("FusedBatchNormV3"),
  ]

  private let channelsLast: Bool
  private let epsilon: Double
  private let isTraining: Bool

  init(_ attributes: AttributeReader) throws(OperatorError) {
    channelsLast = try !attributes.string("data_format", default: "NHWC").hasPrefix("NC")
    epsilon = try attributes.float("epsilon", default: 0.0001)
    isTraining = try attributes.bool("is_training", default: true)
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    var inputs = try expansion.allInputs()
    guard inputs.count >= 5, inputs[0].rank >= 2 else {
      throw OperatorError("expected 5 inputs, the first with a batch and channels")
    }
    let x = inputs[0]
    if isTraining {
      let wide = try expansion.cast(x, to: .float32)
      let axes = (0..<x.rank).filter { $0 != (channelsLast ? x.rank - 1 : 1) }
      let kept = try expansion.reduce(.mean, wide, axes: axes, keepsDimensions: true)
      let squares = try expansion.pointwise(
        (.operand(0) - .operand(1)) * (.operand(0) - .operand(1)), [wide, kept])
      inputs[3] = try expansion.reshape(kept, inputs[1].shape)
      inputs[4] = try expansion.reduce(.mean, squares, axes: axes, keepsDimensions: false)
      expansion.set(1, inputs[3])
    }
    for index in 1..<5 {
      if !channelsLast {
        inputs[index] = try expansion.unsqueeze(inputs[index], axes: Array(1..<(x.rank - 1)))
      }
      inputs[index] = try expansion.cast(inputs[index], to: x.dataType)
    }
    // Scale and shift first, as vectors, so that constants fold.
    let scale = try expansion.pointwise(
      .operand(0)
        * .unary(.reciprocalSquareRoot, .operand(1) + .constant(epsilon, x.dataType)),
      [inputs[1], inputs[4]])
    let shift = try expansion.pointwise(
      .operand(0) - .operand(1) * .operand(2), [inputs[2], inputs[3], scale])
    expansion.set(
      0, try expansion.pointwise(.operand(0) * .operand(1) + .operand(2), [x, scale, shift]))
  }
}

/// Images in another size. Source: TensorFlow `ResizeBilinear`, `ResizeNearestNeighbor`.
struct TensorFlowResize: Operator {
  static let spellings = [
    Spelling.tensorflow("ResizeBilinear"), .tensorflow("ResizeNearestNeighbor"),
  ]

  private let name: String
  private let alignsCorners: Bool
  private let usesHalfPixels: Bool

  init(_ attributes: AttributeReader) throws(OperatorError) {
    name = attributes.name
    alignsCorners = try attributes.bool("align_corners", default: false)
    usesHalfPixels = try attributes.bool("half_pixel_centers", default: false)
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    guard x.rank == 4, let sizes = expansion.dimensions(try expansion.input(1)), sizes.count == 2
    else { throw OperatorError("the size of the result is not known, or x is no batch of images") }
    let interpolation: Resample.Interpolation
    switch name {
    case "ResizeBilinear": interpolation = .linear(antialias: false)
    default:
      interpolation = .nearest(
        usesHalfPixels ? .preferCeiling : alignsCorners ? .preferCeiling : .floor)
    }
    let coordinates: Resample.Coordinates =
      usesHalfPixels ? .halfPixel : alignsCorners ? .alignCorners : .asymmetric
    let first = try expansion.transpose(x, [0, 3, 1, 2])
    var y = try expansion.emit(
      .resample(
        Resample(
          interpolation, coordinates: coordinates,
          shape: [first.shape[0], first.shape[1], sizes[0], sizes[1]])),
      [first])
    y = try expansion.transpose(y, [0, 2, 3, 1])
    if name == "ResizeBilinear" { y = try expansion.cast(y, to: .float32) }
    expansion.set(0, y)
  }
}

/// Blocks of pixels as channels, and back. Source: TensorFlow `SpaceToDepth`, `DepthToSpace`.
struct TensorFlowBlocks: Operator {
  static let spellings = [Spelling.tensorflow("SpaceToDepth"), .tensorflow("DepthToSpace")]

  private let size: Int
  private let toDepth: Bool

  init(_ attributes: AttributeReader) throws(OperatorError) {
    size = try attributes.requiredInt("block_size")
    toDepth = attributes.name == "SpaceToDepth"
    guard try attributes.string("data_format", default: "NHWC") == "NHWC", size > 0 else {
      throw OperatorError("only data_format NHWC and a positive block_size are supported")
    }
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    guard x.rank == 4 else { throw OperatorError("x has shape \(x.shape), expected 4 axes") }
    let block = Dimension(size)
    let (n, h, w, c) = (x.shape[0], x.shape[1], x.shape[2], x.shape[3])
    if toDepth {
      let (rows, columns) = (h.floorDivided(by: block), w.floorDivided(by: block))
      let split = try expansion.reshape(x, [n, rows, block, columns, block, c])
      let moved = try expansion.transpose(split, [0, 1, 3, 2, 4, 5])
      expansion.set(0, try expansion.reshape(moved, [n, rows, columns, c * block * block]))
    } else {
      let depth = c.floorDivided(by: block * block)
      let split = try expansion.reshape(x, [n, h, w, block, block, depth])
      let moved = try expansion.transpose(split, [0, 1, 3, 2, 4, 5])
      expansion.set(0, try expansion.reshape(moved, [n, h * block, w * block, depth]))
    }
  }
}
