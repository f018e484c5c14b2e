import GraphModel
import KernelModel
import PrecisionCalibration
import TensorModel
import Testing

/// Weights of rows whose errors of rounding add up to nearly zero.
@Suite struct WeightRoundingTests {
  enum Format: CaseIterable {
    case float16, bfloat16

    var narrow: NarrowFormat {
      switch self {
      case .float16: .float16
      case .bfloat16: .bfloat16
      }
    }

    /// The numbers on both sides of a magnitude, by the format's bit patterns.
    func neighbours(_ magnitude: Double) -> (below: Double, above: Double) {
      let type: DataType
      switch self {
      case .float16: type = .float16
      case .bfloat16: type = .bfloat16
      }
      let pattern = SmallFloat.encode(magnitude, type)
      let nearest = SmallFloat.decode(pattern, type)
      if nearest == magnitude { return (nearest, nearest) }
      let other = SmallFloat.decode(nearest < magnitude ? pattern + 1 : pattern - 1, type)
      return (min(nearest, other), max(nearest, other))
    }

    func nearest(_ number: Float) -> Double {
      let magnitude = Double(abs(number))
      let (below, above) = neighbours(magnitude)
      let isTie = magnitude - below == above - magnitude
      let step = above - below
      let isEven = step == 0 || (below / step).truncatingRemainder(dividingBy: 2) == 0
      let goesDown = isTie ? isEven : magnitude - below < above - magnitude
      return (number.sign == .minus ? -1 : 1) * (goesDown ? below : above)
    }
  }

  struct Layout: CustomStringConvertible, Sendable {
    var description: String
    var problem: KernelProblem
    var operand = 1
    var shape: [Int]
    /// The number of the row of an element, from its coordinates.
    var row: @Sendable ([Int]) -> [Int]

    static let all = [1, 3, 17].flatMap { n in
      [
        Layout("a \(n)", MatrixProduct(), 0, [2, n, 5]) { [$0[0], $0[1]] },
        Layout("transposed a \(n)", MatrixProduct(transposesA: true), 0, [37, n]) { [$0[1]] },
        Layout("b \(n)", MatrixProduct(), 1, [2, 3, 41, n]) { [$0[0], $0[1], $0[3]] },
        Layout("transposed b \(n)", MatrixProduct(transposesB: true), 1, [n, 67]) { [$0[0]] },
        Layout("convolution \(n)", convolution(), [5, n, 3, 3]) { [$0[0]] },
        Layout("depthwise \(n)", convolution(groups: n), [n, 1, 3, 5]) { [$0[0]] },
        Layout(
          "transposed convolution \(n)", convolution(groups: 2, isTransposed: true), [6, n, 3, 4]
        ) { [$0[0] / 3, $0[1]] },
        Layout(
          "upsampling \(n)", convolution(stride: 2, dilation: 3, isTransposed: true), [n, 3, 4, 5]
        ) { [$0[1], $0[2] % 2, $0[3] % 2] },
      ]
    }

    init(
      _ description: String, _ product: MatrixProduct, _ operand: Int, _ shape: [Int],
      row: @escaping @Sendable ([Int]) -> [Int]
    ) {
      self.description = description
      problem = .matmul(product)
      self.operand = operand
      self.shape = shape
      self.row = row
    }

    init(
      _ description: String, _ convolution: Convolution, _ shape: [Int],
      row: @escaping @Sendable ([Int]) -> [Int]
    ) {
      self.description = description
      problem = .convolution(convolution)
      self.shape = shape
      self.row = row
    }

    private static func convolution(
      stride: Int = 1, dilation: Int = 1, groups: Int = 1, isTransposed: Bool = false
    ) -> Convolution {
      Convolution(
        strides: [stride, stride], dilations: [dilation, dilation], padsBefore: [0, 0],
        padsAfter: [0, 0], groups: groups, isTransposed: isTransposed)
    }

    /// The elements' indices, row by row.
    var rows: [[Int]] {
      var result: [[Int]: [Int]] = [:]
      for index in 0..<shape.reduce(1, *) {
        var rest = index
        var coordinates: [Int] = []
        for extent in shape.reversed() {
          coordinates.insert(rest % extent, at: 0)
          rest /= extent
        }
        result[row(coordinates), default: []].append(index)
      }
      return Array(result.values)
    }

    func rounded(_ numbers: [Float], _ format: Format) throws -> [Float] {
      let rows = try #require(WeightRows(problem, operand: operand, shape: shape))
      return try WeightRounding(format.narrow, rows)
        .rounded(try Tensor(numbers, shape: shape)).elements()
    }
  }

  /// Numbers of one row.
  private func row(_ numbers: [Float], _ format: Format) throws -> [Float] {
    try Layout("row", MatrixProduct(transposesB: true), 1, [1, numbers.count]) { [$0[0]] }
      .rounded(numbers, format)
  }

  /// Sizes that are alike, of all magnitudes, subnormal, and up to the end of the range.
  private func numbers(_ count: Int, _ kind: Int, _ format: Format) -> [Float] {
    var state = UInt64(kind + 1)
    return (0..<count).map { index in
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      let number = Float(Int32(truncatingIfNeeded: state >> 32)) * 0x1p-31
      if index % 11 == 5 { return index % 2 == 0 ? 0 : -0.0 }
      let exponent =
        switch kind {
        case 0: -4
        case 1: Int(state >> 20 % 41) - 30
        case 2: format == .float16 ? -22 : -127
        default: format == .float16 ? 15 : 126
        }
      return number * Float(sign: .plus, exponent: exponent, significand: 1)
    }
  }

  @Test(arguments: Layout.all, Format.allCases)
  func errorsOfEachRowAddUpToNearlyZero(layout: Layout, format: Format) throws {
    for kind in 0..<4 {
      let weights = numbers(layout.shape.reduce(1, *), kind, format)
      let found = try layout.rounded(weights, format)
      #expect(try layout.rounded(weights, format).map(\.bitPattern) == found.map(\.bitPattern))
      for (x, y) in zip(weights, found) {
        let (below, above) = format.neighbours(Double(abs(x)))
        #expect(Double(abs(y)) == below || Double(abs(y)) == above)
        #expect(x.sign == y.sign && y.isFinite)
      }
      for row in layout.rows {
        let error = row.reduce(0) { $0 + Double(found[$1]) - Double(weights[$1]) }
        let unbalanced = row.reduce(0) { $0 + format.nearest(weights[$1]) - Double(weights[$1]) }
        let largestStep =
          row.map { index in
            let (below, above) = format.neighbours(Double(abs(weights[index])))
            return above - below
          }.max() ?? 0
        #expect(abs(error) <= largestStep / 2, "\(layout), numbers \(kind)")
        #expect(abs(error) <= abs(unbalanced))
      }
    }
  }

  @Test(arguments: Format.allCases) func balancedRowsAreRoundedToNearest(format: Format) throws {
    for count in [1, 3, 17, 500] {
      let half = numbers(count, 1, format)
      let weights = half + half.map { -$0 }
      #expect(try row(weights, format).map(Double.init) == weights.map(format.nearest))
    }
  }

  @Test func cheapestWeightsGoToTheirOtherNeighbour() throws {
    let step: Float = 0x1p-10
    let places: [Float] = [0.25, 0.125, 0.4375, 0.375, 0.3125, 0.375, 0.125]
    // To nearest, the errors add up to two steps.
    let found = try row(places.map { 1 + $0 * step }, .float16)
    #expect(found == [1, 1, 1 + step, 1 + step, 1, 1, 1])
    #expect(try row(places.map { -1 - $0 * step }, .float16) == found.map { -$0 })
    // A power of two has a neighbour at half the distance below.
    #expect(try row([2 - step / 4, 2 - step / 2, 2 - step / 4], .float16) == [2, 2 - step, 2])
  }

  @Test(arguments: Format.allCases) func whatIsExactOrNoNumberStays(format: Format) throws {
    let special: [Float] = [
      0, -0.0, 1, -1.5, .infinity, -.infinity, .nan, 0x1p-24, -0x1p-14, 65504,
    ]
    let tilted = [Float](repeating: 1 + 0x1.8p-12, count: 9)
    let found = try row(special + tilted, format)
    let exact = format == .bfloat16 ? special.dropLast() : special[...]
    #expect(found.prefix(exact.count).map(\.bitPattern) == exact.map(\.bitPattern))
    #expect(found.suffix(9).contains { $0 > 1 } == (format != .bfloat16))
  }

  @Test func nothingRoundsToInfinity() throws {
    // Above the largest number of FP16, but nearest to it.
    #expect(try row([65519, 65510, 1], .float16) == [65504, 65504, 1])
    #expect(try row([-65519, -65519, 65490], .float16) == [-65504, -65504, 65504 - 32])
    let largest = Float.greatestFiniteMagnitude
    #expect(try row([largest, 1], .bfloat16) == [largest, 1])
  }

  @Test func operandsThatAreNoWeightsHaveNoRows() {
    #expect(WeightRows(.matmul(MatrixProduct()), operand: 2, shape: [4, 4]) == nil)
    #expect(WeightRows(.matmul(MatrixProduct()), operand: 1, shape: [4]) == nil)
    let convolution = Convolution(
      strides: [1], dilations: [1], padsBefore: [0], padsAfter: [0], groups: 3)
    #expect(WeightRows(.convolution(convolution), operand: 0, shape: [3, 1, 3]) == nil)
    #expect(WeightRows(.convolution(convolution), operand: 1, shape: [4, 1, 3]) == nil)
    #expect(WeightRows(.attention(Attention(scale: 1)), operand: 1, shape: [1, 1, 4, 4]) == nil)
  }

  // MARK: In graphs

  /// A product whose weights another node reads too, and a depthwise convolution; both behind others, which multiply the
  /// network's inputs.
  private func graph(_ weights: Tensor, _ filters: Tensor) throws -> Graph {
    var graph = Graph(name: "test")
    let x = graph.addInput(name: "x", type: TensorType(.float32, [5, 64]))
    let image = graph.addInput(name: "image", type: TensorType(.float32, [1, 3, 8, 8]))
    let shared = graph.addConstant(name: "shared", weights)
    let convolution = Convolution(
      strides: [1, 1], dilations: [1, 1], padsBefore: [1, 1], padsAfter: [1, 1], groups: 3)
    func add(_ name: String, _ problem: KernelProblem, _ inputs: [ValueID]) throws -> ValueID {
      let types = try problem.outputTypes(of: graph.types(of: inputs))
      let output = graph.addValue(Value(name: name, type: types[0]))
      graph.addNode(
        Node(
          name: name, operation: .kernel(problem), inputs: inputs, outputs: [output], origins: []))
      return output
    }
    let square = graph.addConstant(
      name: "square", try Tensor(numbers(64 * 64, 1, .float16), shape: [64, 64]))
    let others = graph.addConstant(
      name: "others", try Tensor(numbers(27, 1, .float16), shape: [3, 1, 3, 3]))
    let hidden = try add("first0", .matmul(MatrixProduct()), [x, square])
    let maps = try add("first2", .convolution(convolution), [image, others])
    let nodes: [(KernelProblem, [ValueID])] = [
      (.matmul(MatrixProduct()), [hidden, shared]),
      (.pointwise(Pointwise(.operand(0) + .float(1))), [shared]),
      (.convolution(convolution), [maps, graph.addConstant(name: "filters", filters)]),
    ]
    for (index, (problem, inputs)) in nodes.enumerated() {
      graph.outputs.append(("y\(index)", try add("y\(index)", problem, inputs)))
    }
    return graph
  }

  private func constants(_ graph: Graph) -> [String: Tensor] {
    var result: [String: Tensor] = [:]
    for (_, node) in graph.liveNodes {
      for input in node.inputs.compactMap(\.self) {
        if let constant = graph[input].constant { result[node.name] = constant }
      }
    }
    return result
  }

  private func tensors() throws -> (weights: Tensor, filters: Tensor) {
    (
      try Tensor(numbers(64 * 17, 0, .float16), shape: [64, 17]),
      try Tensor(numbers(27, 0, .float16), shape: [3, 1, 3, 3])
    )
  }

  @Test(arguments: [Precision.fp16, .bf16])
  func storedWeightsAreBalanced(precision: Precision) throws {
    let (weights, filters) = try tensors()
    let graph = try graph(weights, filters)
    let found = constants(
      try PrecisionRewriter.apply(graph, try PrecisionPolicy.assign(graph, precision)))
    let format = precision == .fp16 ? Format.float16 : .bfloat16
    for (name, exact, operation) in [("y0", weights, 0), ("y2", filters, 2)] {
      guard case .kernel(let problem) = graph.liveNodes[operation + 2].node.operation else {
        continue
      }
      let rows = try #require(WeightRows(problem, operand: 1, shape: exact.shape))
      let expected = try WeightRounding(format.narrow, rows).rounded(exact)
      #expect(found[name]?.dataType == (precision == .fp16 ? .float16 : .bfloat16))
      #expect(found[name]?.numbers() == expected.numbers())
      #expect(expected.numbers() != exact.numbers()?.map { format.nearest(Float($0)) })
    }
  }
}
