import KernelModel
import TensorModel
import Testing

@Suite struct MovementKernelTests {
  private static let types: [DataType] = [
    .float32, .int64, .bool, .float16, .complex128, .uint8, .float64,
  ]

  private func check(
    _ seed: Int, maximumElements: Int = 3000,
    _ body: (_ maker: inout CaseMaker, _ stepCase: inout StepCase, _ shape: [Int]) throws -> Copy
  ) throws {
    var maker = CaseMaker(seed: seed)
    let type = maker.random.pick(Self.types)
    let shape = maker.shape(1 + maker.random.below(4), limit: maximumElements)
    var stepCase = StepCase(.copy(.reshape(Shape(shape))), [try maker.tensor(type, shape)])
    stepCase.orders = [maker.order(shape.count)]
    stepCase.outputOrder = maker.order(shape.count)
    stepCase.gap = maker.random.chance(30) ? 1 : 0
    stepCase.problem = .copy(try body(&maker, &stepCase, shape))
    try stepCase.check(seed: seed)
  }

  @Test func layouts() throws {
    for seed in 0..<40 {
      try check(seed) { maker, _, shape in
        maker.random.chance(50)
          ? .reshape(Shape(shape)) : .transpose(maker.random.order(shape.count))
      }
    }
  }

  @Test func slices() throws {
    for seed in 0..<40 {
      try check(seed) { maker, _, shape in
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
      }
    }
  }

  @Test func pads() throws {
    for seed in 0..<60 {
      try check(seed, maximumElements: 500) { maker, _, shape in
        let mode = maker.random.pick([
          Copy.PadMode.constant(0), .constant(1), .reflect, .edge, .wrap,
        ])
        let before = shape.map { Dimension(maker.random.below(5) - ($0 > 2 ? 1 : 0)) }
        let after = shape.map { Dimension(maker.random.below(5) - ($0 > 2 ? 1 : 0)) }
        return .pad(mode, before: before, after: after)
      }
    }
  }

  @Test func concatenations() throws {
    for seed in 0..<40 {
      try check(seed) { maker, stepCase, shape in
        let axis = maker.random.below(shape.count)
        for _ in 0..<maker.random.below(3) {
          var other = shape
          other[axis] = maker.random.pick([0, 1, 3, 5])
          let type = stepCase.inputs[0]?.dataType ?? .float32
          stepCase.inputs.append(try maker.tensor(type, other))
          stepCase.orders.append(maker.order(shape.count))
        }
        return .concatenate(axis: axis)
      }
    }
  }

  @Test func repetitions() throws {
    for seed in 0..<40 {
      try check(seed, maximumElements: 300) { maker, _, shape in
        if maker.random.chance(50) {
          return .tile(shape.map { _ in Dimension(maker.random.below(4)) })
        }
        return .expand(Shape(shape.map { $0 == 1 ? 4 : $0 }))
      }
    }
  }

  @Test func gathers() throws {
    for seed in 0..<40 {
      var maker = CaseMaker(seed: seed)
      let shape = maker.shape(1 + maker.random.below(3))
      let axis = maker.random.below(shape.count)
      let positions = maker.shape(maker.random.below(3), limit: 60)
      let extent = shape[axis]
      let numbers = (0..<positions.reduce(1, *)).map { _ in
        maker.random.below(3 * extent) - extent * 3 / 2
      }
      let indices =
        maker.random.chance(50)
        ? try Tensor(numbers.map { Int64($0) }, shape: positions)
        : try Tensor(numbers.map { Int32($0) }, shape: positions)
      let data = try maker.tensor(maker.random.pick([.float32, .int64, .bool]), shape)
      let stepCase = StepCase(.gather(.slices(axis: axis)), [data, indices])
      #expect(try stepCase.check(seed: seed) > 0)
    }
  }
}
