import KernelModel
import TensorModel

enum MovementCases {
  static let families: [SelfTest.Family] = copies + gathers + resamples + PointwiseCases.families

  private static let types: [DataType] = [
    .float32, .int64, .bool, .float16, .uint8, .float64, .bfloat16, .int16,
  ]

  /// A case of a copy of one tensor.
  private static func copy(
    _ name: String, maximumElements: Int = 3000,
    _ body:
      @escaping @Sendable (_ maker: inout CaseMaker, _ stepCase: inout StepCase, [Int]) throws
      -> Copy
  ) -> SelfTest.Family {
    SelfTest.Family("copy \(name)") { maker in
      let type = maker.random.pick(types)
      let shape = maker.shape(1 + maker.random.below(4), limit: maximumElements)
      var stepCase = StepCase(.copy(.reshape(Shape(shape))), [try maker.tensor(type, shape)])
      stepCase.orders = [maker.order(shape.count)]
      stepCase.outputOrder = maker.order(shape.count)
      stepCase.gap = maker.random.chance(30) ? 1 : 0
      stepCase.problem = .copy(try body(&maker, &stepCase, shape))
      return stepCase
    }
  }

  private static let copies: [SelfTest.Family] = [
    copy("layout") { maker, _, shape in
      maker.random.chance(50) ? .reshape(Shape(shape)) : .transpose(maker.random.order(shape.count))
    },
    copy("reshape") { maker, _, shape in .reshape(Shape(maker.regrouped(shape))) },
    copy("slice") { maker, _, shape in
      var starts: [Dimension] = [], sizes: [Dimension] = [], steps: [Int] = []
      for extent in shape {
        let step = maker.random.pick([1, 1, 2, -1, -2, 3])
        let start = maker.random.below(extent)
        let room = step > 0 ? extent - start : start + 1
        starts.append(Dimension(start))
        sizes.append(Dimension(1 + maker.random.below((room + abs(step) - 1) / abs(step))))
        steps.append(step)
      }
      return .slice(starts: starts, sizes: sizes, steps: steps)
    },
    copy("pad", maximumElements: 500) { maker, _, shape in
      let mode = maker.random.pick([
        Copy.PadMode.constant(0), .constant(1.7), .reflect, .edge, .wrap,
      ])
      let isPadded = shape.map { _ in maker.random.chance(60) }
      func pads() -> [Dimension] {
        shape.indices.map {
          isPadded[$0]
            ? Dimension(maker.random.below(5) - (shape[$0] > 2 ? 1 : 0)) : Dimension(0)
        }
      }
      return .pad(mode, before: pads(), after: pads())
    },
    copy("concatenate") { maker, stepCase, shape in
      let axis = maker.random.below(shape.count)
      let type = stepCase.inputs[0]?.dataType ?? .float32
      for _ in 0..<maker.random.pick([0, 1, 2, 3, 17]) {
        var other = shape
        other[axis] = maker.random.pick([0, 1, 3, 5, 8])
        stepCase.inputs.append(try maker.tensor(type, other))
        stepCase.orders.append(maker.order(shape.count))
      }
      return .concatenate(axis: axis)
    },
    copy("tile", maximumElements: 300) { maker, _, shape in
      maker.random.chance(50)
        ? .tile(shape.map { _ in Dimension(maker.random.below(4)) })
        : .expand(Shape(shape.map { $0 == 1 ? 4 : $0 }))
    },
    SelfTest.Family("copy transposed") { maker in
      // Channels last to first and back, in tiles.
      let type = maker.random.pick(types)
      let width = maker.random.pick([1, 8, 64])
      let shape = [
        1 + maker.random.below(2), maker.random.pick([3, 16, 31, 32, 40, 64, 72]),
        maker.random.pick([5, 7, 16]), maker.random.pick([8, 9, 12]),
      ]
      var stepCase = StepCase(.copy(.reshape(Shape(shape))), [try maker.tensor(type, shape)])
      if maker.random.chance(50) {
        stepCase.orders = [[0, 2, 3, 1]]
      } else {
        stepCase.outputOrder = [0, 2, 3, 1]
      }
      stepCase.gap = width == 1 ? 1 : 0
      return stepCase
    },
    SelfTest.Family("copy runs") { maker in
      // Long runs along the innermost axis, at places that vectors like.
      let type = maker.random.pick(types)
      let shape = [
        1 + maker.random.below(4), 4 + maker.random.below(4), 16 + 16 * maker.random.below(4),
      ]
      let x = try maker.tensor(type, shape)
      var stepCase = StepCase(.copy(.reshape(Shape(shape))), [x])
      switch maker.random.below(4) {
      case 0:
        stepCase.problem = .copy(
          .pad(.constant(2), before: [0, 2, 0], after: [1, Dimension(maker.random.below(3)), 0]))
      case 1:
        stepCase.problem = .copy(
          .slice(starts: [0, 1, 8], sizes: [1, 2, Dimension(shape[2] - 8)], steps: [1, 2, 1]))
      case 2:
        stepCase.problem = .copy(.concatenate(axis: 1 + maker.random.below(2)))
        stepCase.inputs.append(x)
        stepCase.orders.append(nil)
      default: stepCase.problem = .copy(.tile([2, 1, 3]))
      }
      return stepCase
    },
  ]
}

// MARK: - Gather and scatter

extension MovementCases {
  /// Indices of an axis, some out of range.
  private static func indices(
    _ maker: inout CaseMaker, _ shape: [Int], extents: [Int], inRange: Bool = false
  ) throws -> Tensor {
    let numbers = (0..<shape.reduce(1, *)).map { position in
      let extent = extents[position % extents.count]
      return inRange || maker.random.chance(90)
        ? maker.random.below(2 * extent) - extent : maker.random.below(8 * extent) - 4 * extent
    }
    return maker.random.chance(50)
      ? try Tensor(numbers.map { Int64($0) }, shape: shape)
      : try Tensor(numbers.map { Int32($0) }, shape: shape)
  }

  private static let gathers: [SelfTest.Family] = [
    SelfTest.Family("gather slices") { maker in
      let shape =
        maker.random.chance(50)
        ? maker.shape(1 + maker.random.below(3))
        : [5, 1 + maker.random.below(3), 16 * (1 + maker.random.below(3))]
      let axis = maker.random.below(shape.count)
      let positions = maker.shape(maker.random.below(3), limit: 60)
      let places = try indices(&maker, positions, extents: [shape[axis]])
      var result = StepCase(
        .gather(.slices(axis: axis)),
        [try maker.tensor(maker.random.pick(types), shape), places])
      result.orders = [maker.order(shape.count), maker.order(positions.count)]
      result.outputOrder = maker.order(shape.count - 1 + positions.count)
      result.gap = maker.random.chance(30) ? 1 : 0
      return result
    },
    SelfTest.Family("gather elements") { maker in
      let shape = maker.shape(1 + maker.random.below(3), limit: 500)
      let axis = maker.random.below(shape.count)
      var places = shape.map { 1 + maker.random.below($0) }
      places[axis] = 1 + maker.random.below(9)
      var result = StepCase(
        .gather(.elements(axis: axis)),
        [
          try maker.tensor(maker.random.pick(types), shape),
          try indices(&maker, places, extents: [shape[axis]]),
        ])
      result.orders = [maker.order(shape.count), maker.order(shape.count)]
      result.outputOrder = maker.order(shape.count)
      return result
    },
    SelfTest.Family("gather coordinates") { maker in
      let shape = maker.shape(3, limit: 1000)
      let batchAxes = maker.random.below(2)
      let depth = maker.random.below(shape.count - batchAxes + 1)
      let places = shape[..<batchAxes] + [1 + maker.random.below(9)] + [depth]
      let extents = shape[batchAxes..<(batchAxes + depth)]
      return StepCase(
        .gather(.coordinates(batchAxes: batchAxes)),
        [
          try maker.tensor(maker.random.pick(types), shape),
          try indices(&maker, Array(places), extents: depth == 0 ? [1] : Array(extents)),
        ])
    },
    SelfTest.Family("scatter elements") { maker in
      let shape = maker.shape(1 + maker.random.below(3), limit: 500)
      let axis = maker.random.below(shape.count)
      var places = shape.map { 1 + maker.random.below($0) }
      places[axis] = 1 + maker.random.below(9)
      return try scatter(&maker, .elements(axis: axis), shape, places, updates: places)
    },
    SelfTest.Family("scatter coordinates") { maker in
      let shape =
        maker.random.chance(50)
        ? maker.shape(1 + maker.random.below(3), limit: 1000)
        : [7, 16 * (1 + maker.random.below(4))]
      let depth = maker.random.below(shape.count + 1)
      let places = [1 + maker.random.below(3), 1 + maker.random.below(9)]
      return try scatter(
        &maker, .coordinates, shape, places + [depth], updates: places + shape[depth...])
    },
  ]

  private static func scatter(
    _ maker: inout CaseMaker, _ kind: Scatter.Kind, _ shape: [Int], _ places: [Int],
    updates: [Int]
  ) throws -> StepCase {
    let extents: [Int]
    switch kind {
    case .elements(let axis): extents = [shape[axis]]
    case .coordinates:
      extents = Array(shape.prefix(places.last ?? 0)) + (places.last == 0 ? [1] : [])
    }
    let combination = maker.random.pick([
      Scatter.Combination.replace, .replace, .add, .multiply, .minimum, .maximum,
    ])
    let type = maker.random.pick(types)
    var result = StepCase(
      .scatter(Scatter(kind, combination)),
      [
        try maker.tensor(type, shape), try indices(&maker, places, extents: extents),
        try maker.tensor(type, updates, scale: 2),
      ])
    result.orders = [
      maker.order(shape.count), maker.order(places.count), maker.order(updates.count),
    ]
    result.outputOrder = maker.order(shape.count)
    result.gap = maker.random.chance(30) ? 1 : 0
    // Sums of 16-bit elements that are rounded one by one.
    if type == .float16 { result.tolerance = 1e-2 }
    if type == .bfloat16 { result.tolerance = 6e-2 }
    return result
  }
}

// MARK: - Resample

extension MovementCases {
  private static func interpolation(_ maker: inout CaseMaker) -> Resample.Interpolation {
    switch maker.random.below(3) {
    case 0:
      .nearest(maker.random.pick([.preferFloor, .preferCeiling, .floor, .ceiling]))
    case 1: .linear(antialias: maker.random.chance(40))
    default:
      .cubic(coefficient: maker.random.pick([-0.75, -0.5]), antialias: maker.random.chance(40))
    }
  }

  private static func resample(
    _ name: String, _ types: [DataType], interpolation: Resample.Interpolation? = nil
  ) -> SelfTest.Family {
    SelfTest.Family("resample \(name)") { maker in
      let shape = [
        1 + maker.random.below(2), maker.random.pick([1, 3, 8, 16]),
        maker.random.pick([1, 2, 5, 8]), maker.random.pick([1, 4, 7, 12]),
      ]
      var target = shape
      for axis in 2..<4 { target[axis] = maker.random.pick([shape[axis] * 2, 3, 5, 9, 16]) }
      if maker.random.chance(15) { target[maker.random.below(2)] = 4 }
      let coordinates = maker.random.pick([
        Resample.Coordinates.halfPixel, .halfPixelSymmetric, .pytorchHalfPixel, .alignCorners,
        .asymmetric, .cropAndResize,
      ])
      var problem = Resample(
        interpolation ?? self.interpolation(&maker), coordinates: coordinates,
        shape: Shape(target))
      if coordinates == .cropAndResize {
        let starts = shape.map { _ in Double(maker.random.float(0.3)) }
        problem.regionOfInterest =
          starts + starts.map { $0 + Double(maker.random.float(0.5)) + 0.6 }
        problem.extrapolation = 7.5
      }
      if maker.random.chance(25) {
        // Scales that are not exactly those of the extents.
        problem.scales = zip(shape, target).map {
          $0 == $1 ? 1 : (Double($1) + 0.4) / Double($0)
        }
      }
      problem.excludesOutside = maker.random.chance(20)
      let type = maker.random.pick(types)
      var result = StepCase(.resample(problem), [try maker.tensor(type, shape)])
      result.orders = [maker.random.chance(50) ? [0, 2, 3, 1] : nil]
      result.outputOrder = maker.random.chance(50) ? [0, 2, 3, 1] : nil
      if type == .float32 {
        problem.epilogue = try maker.movementEpilogue(target, &result)
        result.problem = .resample(problem)
      }
      return result
    }
  }

  private static let resamples: [SelfTest.Family] = [
    resample("floats", [.float32, .float32, .float16, .bfloat16, .float64]),
    resample("nearest", types, interpolation: .nearest(.floor)),
    resample("integers", [.uint8, .int32, .int64, .bool]),
    resample("antialiased", [.float32], interpolation: .cubic(coefficient: -0.75, antialias: true)),
  ]
}

extension CaseMaker {
  /// A shape of as many elements, made of the same prime factors in another order.
  fileprivate mutating func regrouped(_ shape: [Int]) -> [Int] {
    var factors: [Int] = []
    for extent in shape {
      var rest = extent
      var factor = 2
      while rest > 1 {
        while rest % factor == 0 {
          factors.append(factor)
          rest /= factor
        }
        factor += 1
      }
    }
    let order = random.order(factors.count)
    var result = [1]
    for place in order {
      if random.chance(50) { result.append(1) }
      result[result.count - 1] *= factors[place]
    }
    return result
  }
}
