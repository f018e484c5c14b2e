package import TensorModel

/// A tensor in global memory as Hopper's copy engine sees it; axes are listed innermost first.
///
/// Source: CUDA Driver API, cuTensorMapEncodeTiled and cuTensorMapEncodeIm2col.
package struct TensorMap: Hashable, Sendable {
  package enum Base: Hashable, Sendable {
    /// The first element of the step's input or output.
    case input(Int)
    case output(Int)
    /// Bytes from the start of the workspace.
    case workspace(Int)
    case prepared(Int)
  }

  package enum Swizzle: Int32, Hashable, Sendable {
    case none = 0
    case bytes32, bytes64, bytes128
  }

  /// What one copy brings: a box, or the pixels of a convolution's window.
  package enum Window: Hashable, Sendable {
    case tiled(box: [Int])
    /// Corners of the bounding box over the spatial axes, innermost first; channels and pixels of one copy.
    case im2col(lower: [Int], upper: [Int], channels: Int, pixels: Int)
  }

  package var base: Base
  package var dataType: DataType
  package var extents: [Int]
  /// Bytes between neighbours along each axis but the innermost; multiples of 16.
  package var strides: [Int]
  package var window: Window
  package var elementStrides: [Int]
  package var swizzle: Swizzle

  package init(
    _ base: Base, _ dataType: DataType, extents: [Int], strides: [Int], window: Window,
    elementStrides: [Int]? = nil, swizzle: Swizzle = .bytes128
  ) {
    self.base = base
    self.dataType = dataType
    self.extents = extents
    self.strides = strides
    self.window = window
    self.elementStrides = elementStrides ?? extents.map { _ in 1 }
    self.swizzle = swizzle
  }
}
