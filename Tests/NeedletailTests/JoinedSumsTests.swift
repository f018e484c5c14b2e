import GraphModel
import KernelModel
import ProgramLowering
import ProgramModel
import ReferenceExecution
import TensorModel
import Testing

/// Contractions take over what is added to their results, and the results stay what they were.
@Suite struct JoinedSumsTests {
  /// What is added has single precision, what the steps pass on may have 16 bits.
  @Test(arguments: [1, 3], [DataType.float32, .float16, .bfloat16])
  func projectionBecomesPartOfTheConvolution(images: Int, type: DataType) throws {
    var block = Block()
    func activation(_ channels: Int) throws -> View {
      try block.activation([images, channels, 4, 3], order: [0, 2, 3, 1], type)
    }
    let (x, y, projected, result) = (
      try activation(5), try activation(7), try activation(6), try activation(6)
    )
    for target in [x, y] {
      let source = try block.input(target.shape)
      block.add(.pointwise(Pointwise(.cast(.operand(0) + .operand(0), type))), [source], target)
    }
    var convolution = Convolution(
      strides: [1, 1], dilations: [1, 1], padsBefore: [0, 0], padsAfter: [0, 0])
    convolution.epilogue = Self.stored(.operand(0) + .operand(1), [type, .float32], type)
    block.add(
      .convolution(convolution),
      [x, try block.constant([6, 5, 1, 1], type), try block.constant([6, 1, 1])], projected)
    convolution.epilogue = Self.stored(
      .maximum(.operand(0) + .operand(2) + .operand(1), .float(0)), [type, type, .float32], type)
    block.add(
      .convolution(convolution),
      [y, try block.constant([6, 7, 1, 1], type), projected, try block.constant([6, 1, 1])], result)
    let before = try block.run(result)
    ProjectionFolding.apply(to: &block.program)
    #expect(block.program.steps.count == 3)
    let step = try #require(block.program.steps.last)
    #expect(step.inputs[0]?.shape == [images, 12, 4, 3])
    let types = try step.problem.outputTypes(
      of: step.inputs.map {
        $0.map { TensorType($0.dataType, Shape($0.shape.map { Dimension($0) })) }
      })
    #expect(types.map(\.dataType) == [type])
    try expectSame(before, try block.run(result), type)
  }

  @Test(arguments: [DataType.float32, .float16, .bfloat16])
  func sumBehindMovesBecomesPartOfTheProduct(type: DataType) throws {
    var block = Block()
    let source = try block.input([12, 5])
    let a = try block.activation([12, 5], order: [0, 1], type)
    block.add(.pointwise(Pointwise(.cast(.operand(0) + .operand(0), type))), [source], a)
    let added = try block.input([3, 4, 7])
    let product = try block.activation([12, 7], order: [0, 1], type)
    var problem = MatrixProduct()
    problem.epilogue = Self.stored(.operand(0) + .operand(1), [type, .float32], type)
    block.add(
      .matmul(problem), [a, try block.constant([5, 7], type), try block.constant([7])], product)
    // The product's rows count the second axis first.
    let moved = try #require(product.reshaped([4, 3, 7])).transposed([1, 0, 2])
    let result = try block.activation([3, 4, 7], order: [0, 1, 2], type)
    let sum = Self.stored(.operand(1) + .operand(0), [type, .float32], type)
    block.add(.pointwise(Pointwise(sum)), [moved, added], result)
    let before = try block.run(result)
    EpilogueJoining.apply(to: &block.program)
    #expect(block.program.steps.count == 2)
    try expectSame(before, try block.run(result), type)
  }

  /// The residual's memory takes the result, also where the bias beside it has another type.
  @Test(arguments: [DataType.float32, .float16, .bfloat16])
  func residualIsOverwritten(type: DataType) throws {
    var graph = Graph(name: "test")
    let x = graph.addInput(name: "x", type: TensorType(.float32, [4, 8]))
    func add(_ problem: KernelProblem, _ inputs: [ValueID?]) throws -> ValueID {
      let types = try problem.outputTypes(of: graph.types(of: inputs))
      let output = graph.addValue(Value(name: "v\(graph.values.count)", type: types[0]))
      graph.addNode(
        Node(
          name: "n\(graph.nodes.count)", operation: .kernel(problem), inputs: inputs,
          outputs: [output], origins: []))
      return output
    }
    func constant(_ shape: [Int], _ type: DataType) throws -> ValueID {
      graph.addConstant(
        name: "c\(graph.values.count)",
        try Tensor(
          numbers: (0..<shape.reduce(1, *)).map { Double($0 % 5) - 1 }, dataType: type, shape: shape
        )
      )
    }
    let residual = try add(
      .pointwise(Pointwise(Self.stored(.operand(0) + .operand(0), [.float32], type))), [x])
    let tripled = Self.stored(.operand(0) + .operand(0) + .operand(0), [.float32], type)
    let twice = Self.stored(.operand(0) + .operand(0), [type], type)
    let factor = try add(.pointwise(Pointwise(tripled)), [x])
    var problem = MatrixProduct()
    problem.epilogue = Self.stored(
      .maximum(.operand(0) + .operand(1) + .operand(2), .float(0)), [type, .float32, type], type)
    let sum = try add(
      .matmul(problem),
      [factor, try constant([8, 8], type), try constant([8], .float32), residual])
    let last = try add(.pointwise(Pointwise(twice)), [sum])
    graph.outputs = [("y", last)]
    var options = LoweringOptions()
    options.worksInPlace = true
    let program = try GraphLowering.lower(graph, options: options)
    let step = try #require(program.steps.first { $0.problem.isContraction })
    #expect(step.inputs[3]?.buffer == step.outputs[0].buffer)
    options.worksInPlace = false
    let apart = try GraphLowering.lower(graph, options: options)
    for step in apart.steps {
      #expect(step.inputs.allSatisfy { $0?.buffer != step.outputs[0].buffer })
    }
    let found = try [program, apart].map { program -> [Double] in
      var block = Block()
      block.program = program
      return try block.run(program.outputs[0])
    }
    try expectSame(found[0], found[1], type)
  }

  /// A product whose results are rounded or compared before they are added keeps its epilogue as it is.
  @Test func roundedResultsAreAddedAsTheyAre() throws {
    for (index, inner) in [
      ScalarExpression.cast(.cast(.cast(.operand(0), .float32) * .float(3), .int32), .float32)
        * .float(2),
      .cast(.binary(.greater, .cast(.operand(0), .float32), .float(0)), .float32)
        * .cast(.operand(0), .float32),
    ].enumerated() {
      var block = Block()
      let source = try block.input([12, 5])
      let a = try block.activation([12, 5], order: [0, 1], .float16)
      block.add(.pointwise(Pointwise(.cast(.operand(0) * .float(4), .float16))), [source], a)
      let product = try block.activation([12, 7], order: [0, 1], .float16)
      var problem = MatrixProduct()
      problem.epilogue = .cast(inner, .float16)
      block.add(.matmul(problem), [a, try block.constant([5, 7], .float16)], product)
      let moved = try #require(product.reshaped([4, 3, 7])).transposed([1, 0, 2])
      let result = try block.activation([3, 4, 7], order: [0, 1, 2], .float16)
      let added = try block.input([3, 4, 7])
      let sum = Self.stored(.operand(0) + .operand(1), [.float16, .float32], .float16)
      block.add(.pointwise(Pointwise(sum)), [moved, added], result)
      let before = try block.run(result)
      EpilogueJoining.apply(to: &block.program)
      try expectSame(before, try block.run(result), .float16)
      #expect(Set(before.map { Int($0) }).count > 3, "\(index)")
    }
  }

  private static func stored(
    _ expression: ScalarExpression, _ types: [DataType], _ result: DataType
  ) -> ScalarExpression {
    expression.stored(types, result: result)
  }

  private func expectSame(_ a: [Double], _ b: [Double], _ type: DataType) throws {
    #expect(a.count == b.count)
    let bound: Double =
      switch type {
      case .float16: 2e-3
      case .bfloat16: 1.6e-2
      default: 1e-5
      }
    for (x, y) in zip(a, b) { #expect(abs(x - y) <= bound * max(1, abs(x))) }
  }
}

/// A program made by hand, on the reference interpreter.
private struct Block {
  var program = Program(name: "block")
  private var seed: UInt64 = 7

  private mutating func numbers(_ count: Int) -> [Double] {
    (0..<count).map { _ in
      seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Double(Int64(bitPattern: seed) >> 40) * 0x1p-23
    }
  }

  mutating func activation(
    _ shape: [Int], order: [Int], _ type: DataType = .float32
  ) throws -> View {
    let buffer = program.addBuffer(.activation, byteCount: shape.reduce(type.byteCount, *))
    return View(dense: buffer, dataType: type, shape: shape, order: order)
  }

  mutating func input(_ shape: [Int]) throws -> View {
    let buffer = program.addBuffer(
      .input(program.inputs.count), byteCount: shape.reduce(4, *))
    let view = View(
      dense: buffer, dataType: .float32, shape: shape, order: Array(shape.indices))
    program.inputs.append(view)
    return view
  }

  mutating func constant(_ shape: [Int], _ type: DataType = .float32) throws -> View {
    let tensor = try Tensor(numbers: numbers(shape.reduce(1, *)), dataType: type, shape: shape)
    let buffer = program.addBuffer(.constant(tensor), byteCount: tensor.byteCount)
    return View(dense: buffer, dataType: type, shape: shape, order: Array(shape.indices))
  }

  mutating func add(_ problem: KernelProblem, _ inputs: [View], _ output: View) {
    program.steps.append(
      Step(
        name: "step \(program.steps.count)", problem: problem, inputs: inputs, outputs: [output],
        origins: []))
  }

  /// The elements of a view after all steps, from poisoned memory and always the same inputs.
  func run(_ result: View) throws -> [Double] {
    var random = Block()
    var memory: [TensorStorage] = []
    for buffer in program.buffers {
      let storage = try #require(TensorStorage(byteCount: buffer.byteCount))
      storage.base.initializeMemory(as: UInt8.self, repeating: 0xFF, count: buffer.byteCount)
      if case .constant(let tensor) = buffer.role {
        storage.base.copyMemory(from: tensor.address, byteCount: tensor.byteCount)
      }
      if case .input = buffer.role {
        for (index, number) in random.numbers(buffer.byteCount / 4).enumerated() {
          storage.base.storeBytes(of: Float(number), toByteOffset: index * 4, as: Float.self)
        }
      }
      memory.append(storage)
    }
    func address(_ view: View) -> UnsafeMutableRawPointer {
      memory[view.buffer.index].base + view.byteOffset
    }
    for step in program.steps {
      try ReferenceStep.run(
        step, inputs: step.inputs.compactMap { $0.map { UnsafeRawPointer(address($0)) } },
        outputs: step.outputs.map(address))
    }
    let tensor = try StridedCopy.gather(result, from: UnsafeRawPointer(address(result)))
    return try #require(tensor.numbers())
  }
}
