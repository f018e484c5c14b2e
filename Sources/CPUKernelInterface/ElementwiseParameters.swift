/// One box of elements to move: a loop over output and input.
package struct CopyBox: BitwiseCopyable, @unchecked Sendable {
  package var loop: ElementwiseLoop
  /// The input among the kernel's operands.
  package var source: Int
  /// Bytes from the first element of the operands.
  package var sourceOffset: Int
  package var targetOffset: Int
  package var firstTask: Int

  package init(
    loop: ElementwiseLoop, source: Int, sourceOffset: Int, targetOffset: Int, firstTask: Int
  ) {
    self.loop = loop
    self.source = source
    self.sourceOffset = sourceOffset
    self.targetOffset = targetOffset
    self.firstTask = firstTask
  }
}

/// Operands: the output, then the inputs.
package struct CopyParameters: BitwiseCopyable, @unchecked Sendable {
  package var boxes: UnsafePointer<CopyBox>
  package var boxCount: Int
  /// Bytes of an element: 1, 2, 4, 8 or 16.
  package var elementBytes: Int

  package init(boxes: UnsafePointer<CopyBox>, boxCount: Int, elementBytes: Int) {
    self.boxes = boxes
    self.boxCount = boxCount
    self.elementBytes = elementBytes
  }
}

/// Slices of a row-major tensor `[outer, extent, inner]` by index. Operands: output, data, indices.
package struct GatherParameters: BitwiseCopyable, Sendable {
  package var outer: Int
  package var extent: Int
  /// Bytes of a slice.
  package var sliceBytes: Int
  package var indexCount: Int
  /// 4 or 8.
  package var indexBytes: Int
  package var slicesPerTask: Int

  package init(
    outer: Int, extent: Int, sliceBytes: Int, indexCount: Int, indexBytes: Int, slicesPerTask: Int
  ) {
    self.outer = outer
    self.extent = extent
    self.sliceBytes = sliceBytes
    self.indexCount = indexCount
    self.indexBytes = indexBytes
    self.slicesPerTask = slicesPerTask
  }

  package var taskCount: Int { (outer * indexCount + slicesPerTask - 1) / slicesPerTask }
}

/// How values are combined.
package enum ReductionFunction: UInt8, BitwiseCopyable, Sendable {
  case sum, product, minimum, maximum
}

/// A reduction of float numbers. Operands: output, x, those of the epilogue; in the loop: output, x
/// (whose strides are of the kept axes), then the epilogue's.
///
/// Where `isAcross`, neighbours along the loop's columns are neighbours in x too, and whole vectors are combined;
/// else the last reduced axis is the one with neighbours.
package struct ReductionParameters: BitwiseCopyable, @unchecked Sendable {
  package var loop: ElementwiseLoop
  package var function: ReductionFunction
  package var isAcross: Bool
  /// The reduced axes of x, outermost first; the last is not in the list.
  package var reducedRank: Int
  package var reducedExtents: UnsafePointer<Int>
  package var reducedStrides: UnsafePointer<Int>
  package var reducedCount: Int
  package var innerExtent: Int
  package var innerStride: Int
  /// Applied to each element of x, or nil.
  package var prologue: UnsafePointer<VectorProgram>?
  package var prologueOffset: Int
  /// Where in the scratch a block of prepared elements and the results are.
  package var blockOffset: Int
  package var resultOffset: Int
  package var epilogue: ElementwiseEpilogue

  package init(
    loop: ElementwiseLoop, function: ReductionFunction, isAcross: Bool, reducedRank: Int,
    reducedExtents: UnsafePointer<Int>, reducedStrides: UnsafePointer<Int>, reducedCount: Int,
    innerExtent: Int, innerStride: Int, prologue: UnsafePointer<VectorProgram>?,
    prologueOffset: Int, blockOffset: Int, resultOffset: Int, epilogue: ElementwiseEpilogue
  ) {
    self.loop = loop
    self.function = function
    self.isAcross = isAcross
    self.reducedRank = reducedRank
    self.reducedExtents = reducedExtents
    self.reducedStrides = reducedStrides
    self.reducedCount = reducedCount
    self.innerExtent = innerExtent
    self.innerStride = innerStride
    self.prologue = prologue
    self.prologueOffset = prologueOffset
    self.blockOffset = blockOffset
    self.resultOffset = resultOffset
    self.epilogue = epilogue
  }
}

/// The index of an extremum along one axis of float numbers, as `int64`. Operands: output, x; the loop's are
/// the same, without the axis.
package struct ExtremumParameters: BitwiseCopyable, @unchecked Sendable {
  package var loop: ElementwiseLoop
  package var seeksMaximum: Bool
  package var takesLast: Bool
  package var extent: Int
  package var stride: Int

  package init(
    loop: ElementwiseLoop, seeksMaximum: Bool, takesLast: Bool, extent: Int, stride: Int
  ) {
    self.loop = loop
    self.seeksMaximum = seeksMaximum
    self.takesLast = takesLast
    self.extent = extent
    self.stride = stride
  }
}

/// One spatial axis of a pooling window.
package struct PoolingAxis: BitwiseCopyable, Sendable {
  package var outputExtent = 1
  package var inputExtent = 1
  package var kernel = 1
  package var stride = 1
  package var dilation = 1
  package var padBefore = 0
  package var padAfter = 0
  /// Elements between neighbours of x.
  package var inputStride = 0

  package init() {}
}

/// A window of up to three spatial axes over channels that lie side by side. Operands: output, x, those of
/// the epilogue. The loop's outer axes are batch and the first two spatial axes, its rows the last spatial axis and
/// its columns the channels.
package struct PoolingParameters: BitwiseCopyable, @unchecked Sendable {
  package var loop: ElementwiseLoop
  package var axes: InlineArray<3, PoolingAxis>
  package var batchStride: Int
  /// `float32`, `uint8` or `int8`; the results are real numbers.
  package var format: ElementFormat
  package var isMaximum: Bool
  package var countsPadding: Bool
  /// Where in the scratch a row of results is.
  package var resultOffset: Int
  package var epilogue: ElementwiseEpilogue

  package init(
    loop: ElementwiseLoop, axes: InlineArray<3, PoolingAxis>, batchStride: Int,
    format: ElementFormat, isMaximum: Bool, countsPadding: Bool, resultOffset: Int,
    epilogue: ElementwiseEpilogue
  ) {
    self.loop = loop
    self.axes = axes
    self.batchStride = batchStride
    self.format = format
    self.isMaximum = isMaximum
    self.countsPadding = countsPadding
    self.resultOffset = resultOffset
    self.epilogue = epilogue
  }
}
