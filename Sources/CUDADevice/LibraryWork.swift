import CUDADriver
import CUDASource
import KernelModel
import Synchronization
import TensorModel

/// A library that is opened when it is first needed.
final class OpenedLibrary<Library: Sendable>: Sendable {
  private let outcome = Mutex<Result<Library, CUDAError>?>(nil)

  /// - Throws: what `open` threw the first time.
  func library(_ open: () throws(CUDAError) -> Library) throws(CUDAError) -> Library {
    try outcome.withLock { (outcome) throws(CUDAError) in
      if let known = outcome { return try known.get() }
      let opened = Result { () throws(CUDAError) in try open() }
      outcome = opened
      return try opened.get()
    }
  }
}

extension CUDA {
  /// Puts a library's work for a step into a stream.
  fileprivate func enqueue(
    _ call: LibraryCall, _ step: Int, _ places: Places, on stream: GPUStream
  ) throws(CUDAError) {
    switch call {
    case .product(let product):
      let library = try matrices.library { () throws(CUDAError) in try MatrixLibrary(gpu) }
      try library.enqueue(try places.product(product, step), on: stream)
    case .convolution(let convolution):
      let library = try convolutions.library { () throws(CUDAError) in try ConvolutionLibrary(gpu) }
      try library.enqueue(try places.convolution(convolution, step), on: stream)
    }
  }
}

extension GraphRecorder {
  /// Adds a step.
  ///
  /// - Returns: what has to end before its results are there.
  mutating func add(
    _ plan: StepPlan, _ step: Int, _ executable: CUDAExecutable, _ places: Places,
    after predecessors: [Node]
  ) throws(CUDAError) -> [Node] {
    var before = predecessors
    if plan.zeroedWorkspaceBytes > 0, !plan.launches.isEmpty {
      before = [
        try addZeros(
          at: places.workspace(step), byteCount: plan.zeroedWorkspaceBytes, after: before)
      ]
    }
    if let call = plan.call {
      before = [
        try addCapture(after: before) { (stream) throws(CUDAError) in
          try executable.device.enqueue(call, step, places, on: stream)
        }
      ]
    }
    for launch in plan.launches {
      guard let kernel = executable.kernels[launch.source] else { continue }
      before = [
        try add(
          kernel, grid: (launch.grid.x, launch.grid.y, launch.grid.z), threads: launch.threads,
          sharedBytes: launch.sharedBytes, clusterSize: launch.clusterSize,
          arguments: try places.arguments(launch, step), beginsEarly: true, after: before)
      ]
    }
    return before
  }
}

extension Places {
  /// A library's product, which counts columns where we count rows: both sides are transposed.
  fileprivate func product(
    _ product: LibraryProduct, _ step: Int
  ) throws(CUDAError) -> MatrixLibrary.Product {
    func matrix(
      _ matrix: LibraryProduct.Matrix, lines: Int, length: Int
    ) throws(CUDAError) -> MatrixLibrary.Matrix {
      MatrixLibrary.Matrix(
        address: try address(matrix.argument, step), rows: matrix.isTransposed ? lines : length,
        columns: matrix.isTransposed ? length : lines, leading: matrix.leading,
        isTransposed: matrix.isTransposed)
    }
    return MatrixLibrary.Product(
      a: try matrix(product.b, lines: product.depth, length: product.columns),
      b: try matrix(product.a, lines: product.rows, length: product.depth),
      result: try matrix(product.output, lines: product.rows, length: product.columns),
      added: try address(product.residual, step), bias: try address(product.bias, step),
      workspace: try address(product.workspace, step), workspaceBytes: product.workspaceBytes,
      choice: product.choice)
  }

  fileprivate func convolution(
    _ convolution: LibraryConvolution, _ step: Int
  ) throws(CUDAError) -> ConvolutionLibrary.Convolution {
    func image(_ image: LibraryConvolution.Image) throws(CUDAError) -> ConvolutionLibrary.Image {
      ConvolutionLibrary.Image(
        address: try address(image.argument, step), batch: image.batch, channels: image.channels,
        height: image.height, width: image.width)
    }
    func axis(_ axis: LibraryConvolution.Axis) -> ConvolutionLibrary.Axis {
      ConvolutionLibrary.Axis(
        taps: axis.taps, stride: axis.stride, dilation: axis.dilation, padding: axis.padding)
    }
    let element: ConvolutionLibrary.Element
    switch convolution.dataType {
    case .float32: element = .single
    case .float16: element = .half
    case .bfloat16: element = .brain
    default: throw CUDAError(.driver, "cuDNN convolves no \(convolution.dataType) here")
    }
    let mathematics: ConvolutionLibrary.Mathematics =
      element == .single ? .exact : .tensorCores
    var finish: ConvolutionLibrary.Finish?
    if let bias = try address(convolution.bias, step) {
      finish = ConvolutionLibrary.Finish(
        bias: bias, added: try address(convolution.residual, step),
        isRectified: convolution.isRectified)
    }
    return ConvolutionLibrary.Convolution(
      element: element, mathematics: mathematics, x: try image(convolution.x),
      weights: try address(convolution.weights, step), groups: convolution.groups,
      vertical: axis(convolution.vertical), horizontal: axis(convolution.horizontal),
      result: try image(convolution.output), finish: finish,
      workspace: try address(convolution.workspace, step),
      workspaceBytes: convolution.workspaceBytes, choice: convolution.choice)
  }

  private func address(
    _ argument: KernelLaunch.Argument?, _ step: Int
  ) throws(CUDAError) -> UInt64? {
    guard let argument else { return nil }
    return try address(argument, step) as UInt64
  }
}
