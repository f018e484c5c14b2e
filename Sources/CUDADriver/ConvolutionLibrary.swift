import DynamicLibraries
import Synchronization

/// cuDNN, where it is installed: another way to compute convolutions, never the only one.
///
/// Source: cuDNN reference, sections "cudnn_ops" and "cudnn_cnn", version 9.
package final class ConvolutionLibrary: Sendable {
  /// A type of elements, by its number in `cudnnDataType_t`.
  package enum Element: Int32, Sendable {
    case single = 0
    case half = 2
    case brain = 9
  }

  /// How products are computed, by the number in `cudnnMathType_t`.
  package enum Mathematics: Int32, Sendable {
    /// 16 bits on tensor cores.
    case tensorCores = 1
    case exact = 3
  }

  /// Elements in device memory without gaps, channels innermost.
  package struct Image: Hashable, Sendable {
    package var address: UInt64
    package var batch: Int
    package var channels: Int
    package var height: Int
    package var width: Int

    package init(address: UInt64, batch: Int, channels: Int, height: Int, width: Int) {
      self.address = address
      self.batch = batch
      self.channels = channels
      self.height = height
      self.width = width
    }
  }

  /// How windows lie along one axis.
  package struct Axis: Hashable, Sendable {
    package var taps: Int
    package var stride: Int
    package var dilation: Int
    package var padding: Int

    package init(taps: Int, stride: Int, dilation: Int, padding: Int) {
      self.taps = taps
      self.stride = stride
      self.dilation = dilation
      self.padding = padding
    }
  }

  /// What is done to sums of products.
  package struct Finish: Hashable, Sendable {
    package var bias: UInt64
    /// Of the output's shape.
    package var added: UInt64?
    /// Whether what is less than zero becomes zero.
    package var isRectified: Bool

    package init(bias: UInt64, added: UInt64?, isRectified: Bool) {
      self.bias = bias
      self.added = added
      self.isRectified = isRectified
    }
  }

  /// `result = convolution(x, weights)`, finished, with sums in single precision.
  package struct Convolution: Hashable, Sendable {
    package var element: Element
    package var mathematics: Mathematics
    package var x: Image
    /// `[output channels][height][width][channels of a group]`.
    package var weights: UInt64
    package var groups: Int
    package var vertical: Axis
    package var horizontal: Axis
    package var result: Image
    package var finish: Finish?
    package var workspace: UInt64
    package var workspaceBytes: Int
    /// Which of the library's suggestions, from 0.
    package var choice: Int

    package init(
      element: Element, mathematics: Mathematics, x: Image, weights: UInt64, groups: Int,
      vertical: Axis, horizontal: Axis, result: Image, finish: Finish?, workspace: UInt64,
      workspaceBytes: Int, choice: Int
    ) {
      self.element = element
      self.mathematics = mathematics
      self.x = x
      self.weights = weights
      self.groups = groups
      self.vertical = vertical
      self.horizontal = horizontal
      self.result = result
      self.finish = finish
      self.workspace = workspace
      self.workspaceBytes = workspaceBytes
      self.choice = choice
    }

    /// The same wherever its operands lie.
    fileprivate var anywhere: Convolution {
      var copy = self
      copy.x.address = 0
      copy.weights = 0
      copy.result.address = 0
      copy.workspace = 0
      copy.finish = finish.map {
        Finish(bias: 0, added: $0.added == nil ? nil : 0, isRectified: $0.isRectified)
      }
      return copy
    }
  }

  /// An algorithm and its mathematics, by their numbers.
  private struct Algorithm: Hashable, Sendable {
    var number: Int32
    var mathematics: Int32
  }

  /// What one thread uses at a time.
  private struct State: Sendable {
    var handle: Handle
    /// Asking for suggestions takes longer than all the rest.
    var known: [Convolution: Algorithm] = [:]
  }

  private let functions: ConvolutionFunctions
  private let state: Mutex<State>
  private let gpu: GPU

  /// The library that was found; nil where there is none. Nothing is opened.
  package static func path(newestMajor: Int) -> String? {
    CompilerSearch(newestMajor: newestMajor).path(ofFile: "libcudnn.so.9", package: "cudnn")
  }

  package init(_ gpu: GPU) throws(CUDAError) {
    let newestMajor = gpu.driver.version / 1000
    guard let path = Self.path(newestMajor: newestMajor) else {
      throw CUDAError(.driver, "cuDNN was not found")
    }
    // cuDNN looks for cuBLASLt by name alone.
    _ = MatrixLibrary.path(newestMajor: newestMajor).flatMap { DynamicLibrary($0) }
    guard let library = DynamicLibrary(path) else {
      throw CUDAError(.driver, "'\(path)' cannot be opened")
    }
    self.gpu = gpu
    functions = try ConvolutionFunctions(library)
    try gpu.makeCurrent()
    var pointer: UnsafeMutableRawPointer?
    try functions.check(functions.create(&pointer), "cudnnCreate")
    guard let pointer else { throw CUDAError(.driver, "cuDNN gave no handle") }
    state = Mutex(State(handle: Handle(pointer)))
  }

  /// CUDNN_TENSOR_NHWC, CUDNN_CROSS_CORRELATION.
  private static let channelsLast: Int32 = 1
  private static let crossCorrelation: Int32 = 1

  /// The descriptors of a convolution.
  private struct Description {
    let x: LibraryDescriptor
    let weights: LibraryDescriptor
    let convolution: LibraryDescriptor
    let result: LibraryDescriptor

    init(_ problem: Convolution, _ functions: ConvolutionFunctions) throws(CUDAError) {
      x = try ConvolutionLibrary.tensor(problem.x, problem.element, functions)
      result = try ConvolutionLibrary.tensor(problem.result, problem.element, functions)
      weights = try LibraryDescriptor(
        functions, { functions.createFilter($0) }, functions.destroyFilter)
      convolution = try LibraryDescriptor(
        functions, { functions.createConvolution($0) }, functions.destroyConvolution)
      let vertical = problem.vertical, horizontal = problem.horizontal
      try functions.check(
        functions.setFilter(
          weights.pointer, problem.element.rawValue, channelsLast, Int32(problem.result.channels),
          Int32(problem.x.channels / problem.groups), Int32(vertical.taps), Int32(horizontal.taps)),
        "cudnnSetFilter4dDescriptor")
      try functions.check(
        functions.setConvolution(
          convolution.pointer, Int32(vertical.padding), Int32(horizontal.padding),
          Int32(vertical.stride), Int32(horizontal.stride), Int32(vertical.dilation),
          Int32(horizontal.dilation), crossCorrelation, Element.single.rawValue),
        "cudnnSetConvolution2dDescriptor")
      try functions.check(
        functions.setGroups(convolution.pointer, Int32(problem.groups)),
        "cudnnSetConvolutionGroupCount")
      try functions.check(
        functions.setMath(convolution.pointer, problem.mathematics.rawValue),
        "cudnnSetConvolutionMathType")
    }
  }

  private static func tensor(
    _ image: Image, _ element: Element, _ functions: ConvolutionFunctions
  ) throws(CUDAError) -> LibraryDescriptor {
    let tensor = try LibraryDescriptor(
      functions, { functions.createTensor($0) }, functions.destroyTensor)
    try functions.check(
      functions.setTensor(
        tensor.pointer, channelsLast, element.rawValue, Int32(image.batch), Int32(image.channels),
        Int32(image.height), Int32(image.width)),
      "cudnnSetTensor4dDescriptor")
    return tensor
  }

  /// Puts the convolution into a stream.
  package func enqueue(_ problem: Convolution, on stream: GPUStream) throws(CUDAError) {
    let description = try Description(problem, functions)
    let key = problem.anywhere
    try state.withLock { (state) throws(CUDAError) in
      let handle = state.handle
      try functions.check(
        functions.setStream(handle.pointer, stream.handle.pointer), "cudnnSetStream")
      let chosen: Algorithm
      if let known = state.known[key] {
        chosen = known
      } else {
        chosen = try suggestion(problem, description, handle)
        state.known[key] = chosen
      }
      let algorithm = chosen.number
      try functions.check(
        functions.setMath(description.convolution.pointer, chosen.mathematics),
        "cudnnSetConvolutionMathType")
      if let finish = problem.finish {
        try convolve(problem, finish, description, algorithm, handle)
      } else {
        let status = functions.convolve(
          handle.pointer, [1], description.x.pointer, Self.pointer(problem.x.address),
          description.weights.pointer, Self.pointer(problem.weights),
          description.convolution.pointer, algorithm, Self.pointer(problem.workspace),
          problem.workspaceBytes, [0], description.result.pointer,
          Self.pointer(problem.result.address))
        try functions.check(status, "cudnnConvolutionForward")
      }
    }
  }

  private func convolve(
    _ problem: Convolution, _ finish: Finish, _ description: Description,
    _ algorithm: Int32, _ handle: Handle
  ) throws(CUDAError) {
    let channels = Image(
      address: finish.bias, batch: 1, channels: problem.result.channels, height: 1, width: 1)
    let bias = try Self.tensor(channels, problem.element, functions)
    let activation = try LibraryDescriptor(
      functions, { functions.createActivation($0) }, functions.destroyActivation)
    // CUDNN_ACTIVATION_RELU or _IDENTITY; CUDNN_NOT_PROPAGATE_NAN is all that the fused function takes.
    try functions.check(
      functions.setActivation(activation.pointer, finish.isRectified ? 1 : 5, 0, 0),
      "cudnnSetActivationDescriptor")
    let added = finish.added ?? problem.result.address
    let status = functions.convolveAndAdd(
      handle.pointer, [1], description.x.pointer, Self.pointer(problem.x.address),
      description.weights.pointer, Self.pointer(problem.weights), description.convolution.pointer,
      algorithm, Self.pointer(problem.workspace), problem.workspaceBytes,
      [finish.added == nil ? 0 : 1], description.result.pointer, Self.pointer(added), bias.pointer,
      Self.pointer(finish.bias), activation.pointer, description.result.pointer,
      Self.pointer(problem.result.address))
    try functions.check(status, "cudnnConvolutionBiasActivationForward")
  }

  // MARK: - Algorithms

  /// cudnnConvolutionFwdAlgoPerf_t, as words of 64 bits: algorithm and status, the time, the workspace's size,
  /// determinism and mathematics, and more.
  private static let suggestionWords = 6
  private static let mostSuggestions = 16
  /// CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM; those up to _DIRECT multiply and add, the others transform and
  /// lose digits.
  private static let precomputed: Int32 = 1
  private static let direct: Int32 = 3
  /// CUDNN_TENSOR_OP_MATH_ALLOW_CONVERSION, which makes 16 bits of single precision.
  private static let convertingMath: Int32 = 2

  /// The chosen one of the library's suggestions.
  private func suggestion(
    _ problem: Convolution, _ description: Description, _ handle: Handle
  ) throws(CUDAError) -> Algorithm {
    var words = [UInt64](repeating: 0, count: Self.mostSuggestions * Self.suggestionWords)
    var count: Int32 = 0
    let status = words.withUnsafeMutableBytes { bytes -> Int32 in
      guard let base = bytes.baseAddress else { return 2000 }
      return functions.suggest(
        handle.pointer, description.x.pointer, description.weights.pointer,
        description.convolution.pointer, description.result.pointer, Int32(Self.mostSuggestions),
        &count, base)
    }
    try functions.check(status, "cudnnGetConvolutionForwardAlgorithm_v7")
    var found: [Algorithm] = []
    for index in 0..<Int(count) {
      let start = index * Self.suggestionWords
      // What is exact stays so, whatever the suggestion says.
      let mathematics =
        problem.mathematics == .exact
        ? problem.mathematics.rawValue : Int32(truncatingIfNeeded: words[start + 3] >> 32)
      let algorithm = Algorithm(
        number: Int32(truncatingIfNeeded: words[start]), mathematics: mathematics)
      guard words[start] >> 32 == 0, words[start + 2] <= UInt64(problem.workspaceBytes),
        mathematics != Self.convertingMath, allows(algorithm.number, problem),
        !found.contains(algorithm)
      else { continue }
      found.append(algorithm)
    }
    guard found.indices.contains(problem.choice) else {
      throw CUDAError(
        .declined,
        "cuDNN has \(found.count) ways for this convolution within \(problem.workspaceBytes >> 20) MiB, "
          + "not \(problem.choice + 1)")
    }
    let chosen = found[problem.choice]
    try functions.check(
      functions.setMath(description.convolution.pointer, chosen.mathematics),
      "cudnnSetConvolutionMathType")
    var bytes = 0
    try functions.check(
      functions.workspaceBytes(
        handle.pointer, description.x.pointer, description.weights.pointer,
        description.convolution.pointer, description.result.pointer, chosen.number, &bytes),
      "cudnnGetConvolutionForwardWorkspaceSize")
    guard bytes <= problem.workspaceBytes else {
      throw CUDAError(
        .declined,
        "cuDNN needs \(bytes) bytes for this convolution, not \(problem.workspaceBytes)")
    }
    return chosen
  }

  private func allows(_ algorithm: Int32, _ problem: Convolution) -> Bool {
    // Without a comparison, the fused function takes one algorithm alone.
    if let finish = problem.finish, !finish.isRectified { return algorithm == Self.precomputed }
    return (0...Self.direct).contains(algorithm)
  }

  private static func pointer(_ address: UInt64) -> UnsafeMutableRawPointer? {
    UnsafeMutableRawPointer(bitPattern: UInt(address))
  }
}
