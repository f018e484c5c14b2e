import KernelModel
import ProgramModel

/// Convolution and pooling that are no matrix products, and the tactics of last resort for contractions.
package enum DirectKernels {
  package static func tactics(for request: CUDARequest) -> [any CUDATactic] {
    switch request.step.problem {
    case .convolution:
      guard let step = ConvolutionStep(request) else { return [] }
      return FewChannelConvolution.variants(step, request)
        + ChannelsLastConvolution.variants(step, request) + DirectConvolution.variants(step)
    case .matmul:
      guard let step = MatrixProductStep(request) else { return [] }
      return TiledMatrixProduct.variants(step) + [DirectMatrixProduct(step: step)]
    case .window:
      guard let step = WindowStep(request) else { return [] }
      return GlobalWindow.variants(step, request) + ChannelsLastWindow.variants(step, request)
        + [DirectWindow(step: step)]
    default: return []
    }
  }
}
