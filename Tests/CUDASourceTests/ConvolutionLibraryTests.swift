import CUDADriver
import CUDASource
import DeviceSelfTest
import KernelModel
import ProgramModel
import TensorModel
import Testing

/// Which convolutions are offered to cuDNN, and how. No GPU is needed.
@Suite struct ConvolutionLibraryTests {
  /// A convolution of 64 channels over 32 images of 56 x 56 or so, with what tests change.
  private struct Sample {
    var type = DataType.float16
    var outputType: DataType?
    var arithmetic = Arithmetic.exact
    var batch = 32
    var channels = 64
    var groups = 1
    var extents = [56, 56]
    var kernel = [3, 3]
    var strides = [1, 1]
    var dilations = [1, 1]
    var before = [1, 1]
    var after = [1, 1]
    var isTransposed = false
    var epilogue = ScalarExpression.operand(0)
    /// Shapes of what the epilogue reads, with `[]` for the output's own.
    var operands: [[Int]] = []
    var operandType: DataType?
    var hasConstantWeights = true
    var order = [0, 2, 3, 1]
    /// Elements between pixels of the input.
    var gap = 0
    var hasLibrary = true

    private func place(
      _ program: inout Program, _ type: DataType, _ shape: [Int], _ order: [Int],
      constant: Bool = false, gap: Int = 0
    ) throws -> View {
      var view = View(
        dense: BufferID(program.buffers.count), dataType: type, shape: shape, order: order)
      if gap > 0 {
        var stride = shape[1] + gap
        for axis in order.reversed().dropFirst() {
          view.strides[axis] = stride
          stride *= shape[axis]
        }
      }
      let role: Buffer.Role =
        constant ? .constant(try Tensor(uninitialized: type, shape: shape)) : .activation
      _ = program.addBuffer(
        role, byteCount: (view.elementCount + 4 * gap * 56 * 56 * 32) * type.byteCount)
      return view
    }

    func request() throws -> CUDARequest {
      var program = Program(name: "test")
      let spatialOrder = order.filter { $0 < extents.count + 2 }
      let x = try place(&program, type, [batch, channels] + extents, spatialOrder, gap: gap)
      let weights = try place(
        &program, type, [channels, channels / groups] + kernel, Array(0..<extents.count + 2),
        constant: hasConstantWeights)
      let output = extents.indices.map { axis in
        let reach = (kernel[axis] - 1) * dilations[axis] + 1
        return (extents[axis] + before[axis] + after[axis] - reach) / strides[axis] + 1
      }
      let shape = [batch, channels] + output
      var inputs: [View?] = [x, weights]
      for operand in operands {
        inputs.append(
          try place(
            &program, operandType ?? type, operand.isEmpty ? shape : operand,
            operand.isEmpty ? spatialOrder : Array(operand.indices)))
      }
      let result = try place(&program, outputType ?? type, shape, spatialOrder)
      let problem = Convolution(
        strides: strides, dilations: dilations, padsBefore: before.map { Dimension($0) },
        padsAfter: after.map { Dimension($0) }, groups: groups, isTransposed: isTransposed,
        epilogue: epilogue)
      var step = Step(
        name: "convolution", problem: .convolution(problem), inputs: inputs, outputs: [result],
        origins: [])
      step.arithmetic = arithmetic
      program.steps = [step]
      var gpu = GPUProperties.h200
      gpu.hasConvolutionLibrary = hasLibrary
      return CUDARequest(step: step, in: program, gpu: gpu)
    }

    func tactics() throws -> [any CUDATactic] {
      CUDATacticCatalog.tactics(for: try request()).filter { $0.name.hasPrefix("cudnn") }
    }

    /// The plan and the library's part of the first tactic.
    func plan() throws -> (StepPlan, LibraryConvolution) {
      let plan = try #require(try tactics().first).plan(try request())
      guard case .convolution(let convolution) = plan.call else {
        throw SelfTestError("the library is not called")
      }
      return (plan, convolution)
    }
  }

  private static let sum = ScalarExpression.operand(0)
  private static let bias = [1, 64, 1, 1]

  @Test func describesAConvolution() throws {
    var sample = Sample()
    sample.extents = [57, 41]
    sample.kernel = [5, 3]
    sample.strides = [2, 1]
    sample.dilations = [1, 2]
    sample.before = [2, 1]
    sample.after = [2, 1]
    sample.groups = 2
    sample.batch = 64
    let names = try sample.tactics().map(\.name)
    #expect(names == ["cudnn 1", "cudnn 2"])
    let (plan, convolution) = try sample.plan()
    #expect(convolution.dataType == .float16)
    #expect(convolution.groups == 2)
    #expect(convolution.vertical.numbers == [5, 2, 1, 2])
    #expect(convolution.horizontal.numbers == [3, 1, 2, 1])
    #expect(convolution.x.argument == .input(0))
    #expect(convolution.x.extents == [64, 64, 57, 41])
    #expect(convolution.output.argument == .output(0))
    #expect(convolution.output.extents == [64, 64, 29, 39])
    #expect(!convolution.isFused)
    #expect(convolution.bias == nil && convolution.residual == nil)
    #expect(convolution.weights == .prepared(0))
    #expect(plan.prepared == [64 * 32 * 5 * 3 * 2])
    #expect(plan.preparation.count == 1)
    #expect(plan.launches.isEmpty && !plan.isEmpty)
    #expect(plan.workspaceBytes == convolution.workspaceBytes)
    #expect(plan.workspaceBytes == 32 << 20)
    #expect(plan.arguments == [.input(0), .prepared(0), .output(0)])
  }

  @Test func takesALineAsAnImage() throws {
    var sample = Sample()
    sample.extents = [4000]
    sample.kernel = [9]
    sample.strides = [1]
    sample.dilations = [1]
    sample.before = [4]
    sample.after = [4]
    sample.order = [0, 2, 1]
    let (_, convolution) = try sample.plan()
    #expect(convolution.vertical.numbers == [1, 1, 1, 0])
    #expect(convolution.horizontal.numbers == [9, 1, 1, 4])
    #expect(convolution.x.height == 1 && convolution.x.width == 4000)
  }

  @Test func addsAndComparesInTheLibrary() throws {
    var sample = Sample()
    sample.operands = [Self.bias, []]
    sample.epilogue = .maximum(
      Self.sum + .operand(1) + .operand(2), .constant(0, .float16))
    let (plan, convolution) = try sample.plan()
    #expect(convolution.bias == .input(2))
    #expect(convolution.residual == .input(3))
    #expect(convolution.isRectified)
    #expect(plan.launches.isEmpty)
    #expect(plan.prepared.count == 1)
    let count = try sample.tactics().count
    #expect(count == 2)
  }

  @Test func addsWithOneAlgorithmAlone() throws {
    var sample = Sample()
    sample.operands = [Self.bias]
    sample.epilogue = Self.sum + .operand(1)
    let (_, convolution) = try sample.plan()
    #expect(convolution.bias == .input(2) && !convolution.isRectified)
    let names = try sample.tactics().map(\.name)
    #expect(names == ["cudnn 1"])
  }

  @Test func makesABiasOfZeros() throws {
    var sample = Sample()
    sample.epilogue = .maximum(.constant(0, .float16), Self.sum)
    let (plan, convolution) = try sample.plan()
    #expect(convolution.isRectified)
    #expect(convolution.bias == .prepared(1))
    #expect(plan.prepared == [64 * 64 * 9 * 2, 128])
    #expect(plan.preparation.map(\.arguments) == [[.input(1), .prepared(0)], [.prepared(1)]])
  }

  @Test func finishesSinglePrecisionInASecondKernel() throws {
    var sample = Sample()
    sample.type = .float32
    sample.operands = [Self.bias]
    let biased = Self.sum + .operand(1)
    sample.epilogue = biased * .unary(.sigmoid, biased)
    let (plan, convolution) = try sample.plan()
    #expect(convolution.bias == .input(2) && !convolution.isRectified)
    #expect(plan.launches.map(\.arguments) == [[.output(0)]])
    #expect(plan.launches[0].source.body.contains("finish"))
  }

  private static let compiler = try? RuntimeCompiler()

  @Test(.enabled(if: ConvolutionLibraryTests.compiler != nil, "NVRTC was not found"))
  func kernelsBesideTheLibraryCompile() throws {
    let compiler = try #require(Self.compiler)
    for (type, outer) in [(DataType.bfloat16, UnaryFunction?.none), (.float32, .hyperbolicTangent)]
    {
      var sample = Sample()
      sample.type = type
      sample.batch = 33
      sample.operands = [[]]
      let sum = Self.sum + .operand(1)
      sample.epilogue = outer.map { .unary($0, sum) } ?? .maximum(sum, .constant(0, type))
      let (plan, convolution) = try sample.plan()
      #expect(convolution.residual == .input(2) && convolution.bias == .prepared(1))
      #expect(plan.launches.count == (outer == nil ? 0 : 1))
      for launch in plan.preparation + plan.launches {
        let image = try compiler.compile(launch.source.text, architecture: "sm_90a")
        #expect(image.count > 100)
      }
    }
  }

  /// TF32 is left to kernels, which keep more bits; depthwise convolutions are exact in any case.
  @Test func computesNothingInTensorFloat() throws {
    var sample = Sample()
    sample.type = .float32
    #expect(try !sample.tactics().isEmpty)
    sample.arithmetic = .tensorFloat32
    #expect(try sample.tactics().isEmpty)
    sample.groups = 64
    sample.batch = 1024
    sample.kernel = [5, 5]
    sample.before = [2, 2]
    sample.after = [2, 2]
    let (_, depthwise) = try sample.plan()
    #expect(depthwise.groups == 64)
  }

  @Test func takesUnusedPaddingAsAlike() throws {
    var sample = Sample()
    sample.strides = [2, 2]
    sample.after = [0, 0]
    sample.batch = 128
    let (_, convolution) = try sample.plan()
    #expect(convolution.vertical.padding == 1)
    #expect(convolution.output.height == 28)
  }

  @Test func leavesOtherConvolutionsAlone() throws {
    func isLeft(_ change: (inout Sample) -> Void) throws -> Bool {
      var sample = Sample()
      change(&sample)
      return try sample.tactics().isEmpty
    }
    let biased = Self.sum + .operand(1)
    #expect(try !isLeft { _ in })
    #expect(try isLeft { $0.hasLibrary = false })
    #expect(try isLeft { $0.batch = 1 }, "small")
    #expect(try isLeft { $0.hasConstantWeights = false })
    #expect(try isLeft { $0.after = [2, 1] }, "padded unlike")
    #expect(try isLeft { $0.isTransposed = true })
    #expect(try isLeft { $0.order = [0, 1, 2, 3] }, "channels first")
    #expect(try isLeft { $0.gap = 8 }, "gaps between pixels")
    #expect(try isLeft { $0.outputType = .float32 })
    #expect(
      try isLeft { sample in
        sample.operands = [Self.bias]
        sample.epilogue = biased * .unary(.sigmoid, biased)
      }, "16 bits would be rounded twice")
    #expect(
      try isLeft { sample in
        sample.operands = [Self.bias]
        sample.operandType = .float32
        sample.epilogue = Self.sum + .cast(.operand(1), .float16)
      }, "a bias of another type")
    #expect(
      try isLeft { sample in
        sample.operands = [Self.bias, Self.bias]
        sample.epilogue = biased + .operand(2)
      }, "two biases")
    #expect(
      try isLeft { sample in
        sample.operands = [[1, 1, 56, 56]]
        sample.epilogue = biased
      }, "a number for each pixel")
  }

  /// What is never measured runs on kernels of our own, which cannot be missing.
  @Test(arguments: [1, 2, 8, 64])
  func neverComesFirst(groups: Int) throws {
    var sample = Sample()
    sample.groups = groups
    sample.batch = 64 * groups
    let request = try sample.request()
    let all = CUDATacticCatalog.tactics(for: request)
    let ranked = all.sorted { $0.estimate(request) < $1.estimate(request) }.map(\.name)
    let first = try #require(ranked.first)
    #expect(!first.hasPrefix("cudnn"))
    #expect(ranked.filter { $0.hasPrefix("cudnn") } == ["cudnn 1", "cudnn 2"])
    #expect(!all[0].name.hasPrefix("cudnn"))
  }

  /// The tuner measures eight tactics of a step.
  @Test(arguments: [DataType.float16, .float32])
  func isMeasured(type: DataType) throws {
    var sample = Sample()
    sample.type = type
    let request = try sample.request()
    let ranked = CUDATacticCatalog.tactics(for: request)
      .sorted { $0.estimate(request) < $1.estimate(request) }
      .map { "\($0.name): \($0.estimate(request))" }
    #expect(ranked.prefix(8).contains { $0.hasPrefix("cudnn") }, "\(ranked)")
  }
}

extension LibraryConvolution.Axis {
  fileprivate var numbers: [Int] { [taps, stride, dilation, padding] }
}

extension LibraryConvolution.Image {
  fileprivate var extents: [Int] { [batch, channels, height, width] }
}
