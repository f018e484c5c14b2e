import KernelModel
import ProgramModel
import TensorModel

/// A convolution by cuDNN, with what it cannot do in a kernel of its own.
struct ConvolutionLibraryTactic: CUDATactic {
  let convolution: LibraryConvolution
  /// What becomes of the library's result; nil for nothing.
  let rest: ScalarExpression?
  /// What the kernels of our own are expected to need at best.
  private let kernelSeconds: Double

  var name: String { "cudnn \(convolution.choice + 1)" }

  private static let suggestions = 2
  /// The library has one way to add without comparing.
  private static let suggestionsOfSums = 1
  private static let workspaceBytes = 32 << 20
  /// Smaller convolutions are not worth a library.
  private static let least = 1e9
  /// The shares of the speed of tensor cores and memory, and of other units, that are expected.
  private static let efficiency = 0.6
  private static let scalarEfficiency = 0.85

  static func candidates(_ request: CUDARequest) -> [any CUDATactic] {
    guard request.gpu.hasConvolutionLibrary, case .convolution = request.step.problem,
      let (convolution, rest) = LibraryConvolution.of(request, workspaceBytes: workspaceBytes),
      convolution.multiplyAdds >= least,
      let kernelSeconds = kernelSeconds(request)
    else { return [] }
    let isSum = convolution.isFused && !convolution.isRectified
    return (0..<(isSum ? suggestionsOfSums : suggestions)).map { choice in
      var convolution = convolution
      convolution.choice = choice
      return ConvolutionLibraryTactic(
        convolution: convolution, rest: rest, kernelSeconds: kernelSeconds)
    }
  }

  private static func kernelSeconds(_ request: CUDARequest) -> Double? {
    let kernels =
      HopperKernels.tactics(for: request) + ContractionKernels.tactics(for: request)
      + DirectKernels.tactics(for: request)
    return kernels.map { $0.estimate(request) }.min()
  }

  private var outputs: Int {
    let output = convolution.output
    return output.batch * output.height * output.width * output.channels
  }

  func estimate(_ request: CUDARequest) -> Double {
    let rate =
      convolution.dataType == .float32
      ? request.gpu.scalarMultiplyAdds * Self.scalarEfficiency
      : request.gpu.matrixMultiplyAdds * Self.efficiency
    let passes = rest == nil ? 0 : 8 * Double(outputs)
    let seconds =
      max(convolution.multiplyAdds / rate, request.trafficSeconds / Self.efficiency)
      + passes / request.gpu.memoryBandwidth + 2 * request.launchSeconds
    // Only a measurement shows whether the library can do it at all, so it never comes first. Its later suggestions are
    // seldom better.
    return max(seconds, kernelSeconds) * (1 + 0.01 * Double(convolution.choice + 1))
  }

  func plan(_ request: CUDARequest) throws(CUDASourceError) -> StepPlan {
    guard let step = ConvolutionStep(request)?.asImage() else {
      throw CUDASourceError("the step is no convolution of images")
    }
    var plan = StepPlan(launches: [], workspaceBytes: convolution.workspaceBytes)
    var convolution = convolution
    convolution.weights = try weights(step, in: &plan)
    if convolution.isFused, convolution.bias == nil { convolution.bias = zeros(in: &plan) }
    plan.call = .convolution(convolution)
    if let rest {
      plan.launches = [
        try ResultPass(rest, rows: 1, columns: outputs, leading: outputs).launch
      ]
    }
    return plan
  }

  /// Repacks the weights as the library wants them.
  private func weights(
    _ step: ConvolutionStep, in plan: inout StepPlan
  ) throws(CUDASourceError) -> KernelLaunch.Argument {
    let view = step.weights
    func axis(_ index: Int) -> PackedAxis {
      PackedAxis(view.shape[index], stride: view.strides[index])
    }
    var operand = ContractionOperand(
      argument: convolution.weights, isConstant: true, offset: view.offset, batchStrides: [],
      lines: [axis(0)], taps: [axis(2), axis(3)], channels: axis(1))
    let packing = PackKernel(
      view.dataType, outer: operand.lines, inner: operand.taps + [operand.channels])
    _ = try packing.schedule(&operand, in: &plan)
    return operand.argument
  }

  /// A bias that changes nothing: the library adds one wherever it adds or compares at all.
  private func zeros(in plan: inout StepPlan) -> KernelLaunch.Argument {
    let count = convolution.output.channels, threads = 256
    let storage = convolution.dataType.cudaStorage ?? "float"
    let target = KernelLaunch.Argument.prepared(plan.prepared.count)
    plan.prepared.append(count * convolution.dataType.byteCount)
    var text = KernelText()
    text.block("KERNEL(\(threads)) zero_bias(\(storage)* y)") { text in
      text.line("const int i = blockIdx.x * \(threads) + threadIdx.x;")
      text.line("if (i < \(count)) y[i] = store<\(storage)>(0.0f);")
    }
    plan.preparation.append(
      KernelLaunch(
        KernelSource(entry: "zero_bias", body: text.text),
        grid: GridSize(ceilingQuotient(count, threads)), threads: threads, arguments: [target]))
    return target
  }
}
