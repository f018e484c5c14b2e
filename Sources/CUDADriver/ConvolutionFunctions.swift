import DynamicLibraries

/// The functions of cuDNN that convolutions take, with declarations of our own.
///
/// Source: cudnn_graph.h, cudnn_ops.h and cudnn_cnn.h of version 9.
struct ConvolutionFunctions: Sendable {
  typealias Status = Int32
  typealias Pointer = UnsafeMutableRawPointer
  typealias Out = UnsafeMutablePointer<UnsafeMutableRawPointer?>
  typealias Number = UnsafePointer<Float>
  typealias Destroy = @convention(c) (Pointer?) -> Status

  let create: @convention(c) (Out) -> Status
  /// The handle, the stream.
  let setStream: @convention(c) (Pointer?, Pointer?) -> Status
  let errorName: @convention(c) (Status) -> UnsafePointer<CChar>?

  let createTensor: @convention(c) (Out) -> Status
  /// The tensor, its format, its type, images, channels, height, width.
  let setTensor: @convention(c) (Pointer?, Int32, Int32, Int32, Int32, Int32, Int32) -> Status
  let destroyTensor: Destroy

  let createFilter: @convention(c) (Out) -> Status
  /// The filter, its type, its format, output channels, input channels of a group, height, width.
  let setFilter: @convention(c) (Pointer?, Int32, Int32, Int32, Int32, Int32, Int32) -> Status
  let destroyFilter: Destroy

  let createConvolution: @convention(c) (Out) -> Status
  /// The convolution, padding, strides and dilations, vertical first each, its mode, the type of the sums.
  let setConvolution:
    @convention(c) (
      Pointer?, Int32, Int32, Int32, Int32, Int32, Int32, Int32, Int32
    ) -> Status
  let setGroups: @convention(c) (Pointer?, Int32) -> Status
  let setMath: @convention(c) (Pointer?, Int32) -> Status
  let destroyConvolution: Destroy

  let createActivation: @convention(c) (Out) -> Status
  /// The activation, its mode, what becomes of NaN, a bound.
  let setActivation: @convention(c) (Pointer?, Int32, Int32, Double) -> Status
  let destroyActivation: Destroy

  /// The handle, x, weights, convolution, y, room for suggestions, their number, the suggestions.
  let suggest:
    @convention(c) (
      Pointer?, Pointer?, Pointer?, Pointer?, Pointer?, Int32, UnsafeMutablePointer<Int32>, Pointer
    ) -> Status
  /// The handle, x, weights, convolution, y, the algorithm, bytes.
  let workspaceBytes:
    @convention(c) (
      Pointer?, Pointer?, Pointer?, Pointer?, Pointer?, Int32, UnsafeMutablePointer<Int>
    ) -> Status
  /// The handle, alpha, x, weights, convolution, algorithm, workspace, beta, y; tensors with their memory.
  let convolve:
    @convention(c) (
      Pointer?, Number, Pointer?, Pointer?, Pointer?, Pointer?, Pointer?, Int32, Pointer?, Int,
      Number, Pointer?, Pointer?
    ) -> Status
  /// The same up to the workspace, then alpha of z, z, bias, activation, y.
  let convolveAndAdd:
    @convention(c) (
      Pointer?, Number, Pointer?, Pointer?, Pointer?, Pointer?, Pointer?, Int32, Pointer?, Int,
      Number, Pointer?, Pointer?, Pointer?, Pointer?, Pointer?, Pointer?, Pointer?
    ) -> Status

  init(_ library: DynamicLibrary) throws(CUDAError) {
    create = try library.function("cudnnCreate")
    setStream = try library.function("cudnnSetStream")
    errorName = try library.function("cudnnGetErrorString")
    createTensor = try library.function("cudnnCreateTensorDescriptor")
    setTensor = try library.function("cudnnSetTensor4dDescriptor")
    destroyTensor = try library.function("cudnnDestroyTensorDescriptor")
    createFilter = try library.function("cudnnCreateFilterDescriptor")
    setFilter = try library.function("cudnnSetFilter4dDescriptor")
    destroyFilter = try library.function("cudnnDestroyFilterDescriptor")
    createConvolution = try library.function("cudnnCreateConvolutionDescriptor")
    setConvolution = try library.function("cudnnSetConvolution2dDescriptor")
    setGroups = try library.function("cudnnSetConvolutionGroupCount")
    setMath = try library.function("cudnnSetConvolutionMathType")
    destroyConvolution = try library.function("cudnnDestroyConvolutionDescriptor")
    createActivation = try library.function("cudnnCreateActivationDescriptor")
    setActivation = try library.function("cudnnSetActivationDescriptor")
    destroyActivation = try library.function("cudnnDestroyActivationDescriptor")
    suggest = try library.function("cudnnGetConvolutionForwardAlgorithm_v7")
    workspaceBytes = try library.function("cudnnGetConvolutionForwardWorkspaceSize")
    convolve = try library.function("cudnnConvolutionForward")
    convolveAndAdd = try library.function("cudnnConvolutionBiasActivationForward")
  }

  func check(_ status: Status, _ operation: String) throws(CUDAError) {
    guard status != 0 else { return }
    let name = errorName(status).map { String(cString: $0) } ?? "status \(status)"
    // CUDNN_STATUS_NOT_SUPPORTED and its kinds.
    let kind: CUDAError.Kind = (3000..<4000).contains(status) ? .declined : .driver
    throw CUDAError(kind, "\(operation) gave \(name)")
  }
}

/// What cuDNN calls a descriptor, destroyed with its owner.
final class LibraryDescriptor {
  let pointer: UnsafeMutableRawPointer
  private let destroy: ConvolutionFunctions.Destroy

  init(
    _ functions: ConvolutionFunctions, _ create: (ConvolutionFunctions.Out) -> Int32,
    _ destroy: @escaping ConvolutionFunctions.Destroy
  ) throws(CUDAError) {
    var pointer: UnsafeMutableRawPointer?
    try functions.check(create(&pointer), "creating a descriptor of cuDNN")
    guard let pointer else { throw CUDAError(.driver, "cuDNN gave no descriptor") }
    self.pointer = pointer
    self.destroy = destroy
  }

  deinit { _ = destroy(pointer) }
}
