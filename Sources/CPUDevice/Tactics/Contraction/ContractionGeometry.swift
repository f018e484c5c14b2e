import CPUKernelInterface

/// The extents of a contraction, as plans are made for them.
enum ContractionGeometry: Sendable {
  case convolution(ConvolutionGeometry)
  case matmul(MatmulGeometry)

  var columns: Int {
    switch self {
    case .convolution(let g): g.outputChannels
    case .matmul(let g): g.columns
    }
  }

  var rows: Int {
    switch self {
    case .convolution(let g): g.images * g.outputHeight * g.outputWidth
    case .matmul(let g): g.rows
    }
  }
}
