/// What a library computes.
package enum LibraryCall: Hashable, Sendable {
  /// By cuBLASLt.
  case product(LibraryProduct)
  /// By cuDNN.
  case convolution(LibraryConvolution)

  package var arguments: [KernelLaunch.Argument] {
    switch self {
    case .product(let product): product.arguments
    case .convolution(let convolution): convolution.arguments
    }
  }
}
