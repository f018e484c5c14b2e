import KernelModel
import ProgramLowering
import ProgramModel
import ReferenceExecution
import TensorModel
import Testing

/// Contractions take over what is added to their results, and the results stay what they were.
@Suite struct JoinedSumsTests {
  @Test(arguments: [1, 3]) func projectionBecomesPartOfTheConvolution(images: Int) throws {
    var block = Block()
    let x = try block.activation([images, 5, 4, 3], order: [0, 2, 3, 1])
    let y = try block.activation([images, 7, 4, 3], order: [0, 2, 3, 1])
    let projected = try block.activation([images, 6, 4, 3], order: [0, 2, 3, 1])
    let result = try block.activation([images, 6, 4, 3], order: [0, 2, 3, 1])
    for target in [x, y] {
      let source = try block.input(target.shape)
      block.add(.pointwise(Pointwise(.operand(0) + .operand(0))), [source], target)
    }
    var convolution = Convolution(
      strides: [1, 1], dilations: [1, 1], padsBefore: [0, 0], padsAfter: [0, 0],
      epilogue: .operand(0) + .operand(1))
    block.add(
      .convolution(convolution),
      [x, try block.constant([6, 5, 1, 1]), try block.constant([6, 1, 1])], projected)
    convolution.epilogue = .maximum(.operand(0) + .operand(1) + .operand(2), .float(0))
    block.add(
      .convolution(convolution),
      [y, try block.constant([6, 7, 1, 1]), try block.constant([6, 1, 1]), projected], result)
    let before = try block.run(result)
    ProjectionFolding.apply(to: &block.program)
    #expect(block.program.steps.count == 3)
    #expect(block.program.steps[2].inputs[0]?.shape == [images, 12, 4, 3])
    try expectSame(before, try block.run(result))
  }

  @Test func sumBehindMovesBecomesPartOfTheProduct() throws {
    var block = Block()
    let a = try block.input([12, 5])
    let added = try block.input([3, 4, 7])
    let product = try block.activation([12, 7], order: [0, 1])
    block.add(
      .matmul(
        MatrixProduct(transposesA: false, transposesB: false, epilogue: .operand(0) + .operand(1))),
      [a, try block.constant([5, 7]), try block.constant([7])], product)
    // The product's rows count the second axis first.
    let moved = try #require(product.reshaped([4, 3, 7])).transposed([1, 0, 2])
    let result = try block.activation([3, 4, 7], order: [0, 1, 2])
    block.add(.pointwise(Pointwise(.operand(1) + .operand(0))), [moved, added], result)
    let before = try block.run(result)
    EpilogueJoining.apply(to: &block.program)
    #expect(block.program.steps.count == 1)
    try expectSame(before, try block.run(result))
  }

  private func expectSame(_ a: [Float], _ b: [Float]) throws {
    #expect(a.count == b.count)
    for (x, y) in zip(a, b) { #expect(abs(x - y) <= 1e-5 * max(1, abs(x))) }
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

  mutating func activation(_ shape: [Int], order: [Int]) throws -> View {
    let buffer = program.addBuffer(.activation, byteCount: shape.reduce(4, *))
    return View(dense: buffer, dataType: .float32, shape: shape, order: order)
  }

  mutating func input(_ shape: [Int]) throws -> View {
    let buffer = program.addBuffer(
      .input(program.inputs.count), byteCount: shape.reduce(4, *))
    let view = View(
      dense: buffer, dataType: .float32, shape: shape, order: Array(shape.indices))
    program.inputs.append(view)
    return view
  }

  mutating func constant(_ shape: [Int]) throws -> View {
    let tensor = try Tensor(
      numbers: numbers(shape.reduce(1, *)), dataType: .float32, shape: shape)
    let buffer = program.addBuffer(.constant(tensor), byteCount: tensor.byteCount)
    return View(
      dense: buffer, dataType: .float32, shape: shape, order: Array(shape.indices))
  }

  mutating func add(_ problem: KernelProblem, _ inputs: [View], _ output: View) {
    program.steps.append(
      Step(
        name: "step \(program.steps.count)", problem: problem, inputs: inputs, outputs: [output],
        origins: []))
  }

  /// The elements of a view after all steps, from poisoned memory and always the same inputs.
  func run(_ result: View) throws -> [Float] {
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
    return tensor.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
  }
}
