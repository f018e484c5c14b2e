/// What is done to each row.
package enum RowFunction: UInt8, BitwiseCopyable, Sendable {
  case softmax, logSoftmax
  /// Mean 0 and variance 1, then scale and bias.
  case standardize
  /// Mean square 1, then scale and bias.
  case rootMeanSquare
  /// Local response normalisation across the row.
  case localResponse
}

/// A function of whole rows. Operands: output, x, then as below. The loop's columns are the row, all in one
/// unit; its operands are the output, x and those of the epilogue.
package struct RowParameters: BitwiseCopyable, @unchecked Sendable {
  package var loop: ElementwiseLoop
  /// Of x.
  package var format = ElementFormat.float32
  package var function: RowFunction
  package var epsilon: Float
  /// Places among the kernel's operands of vectors as long as a row, or -1.
  package var scale: Int
  package var bias: Int
  // Local response: elements of the window before and after the middle, and the formula's numbers.
  package var before = 0
  package var after = 0
  package var alpha: Float = 0
  package var beta: Float = 0
  package var offset: Float = 0
  /// Where in the scratch a row of x and a row of results are.
  package var inputOffset: Int
  package var resultOffset: Int
  package var epilogue: ElementwiseEpilogue

  package init(
    loop: ElementwiseLoop, function: RowFunction, epsilon: Float, scale: Int, bias: Int,
    inputOffset: Int, resultOffset: Int, epilogue: ElementwiseEpilogue
  ) {
    self.loop = loop
    self.function = function
    self.epsilon = epsilon
    self.scale = scale
    self.bias = bias
    self.inputOffset = inputOffset
    self.resultOffset = resultOffset
    self.epilogue = epilogue
  }
}

/// Normalisation over groups of channels and all positions. Operands: output, x, then as below.
///
/// The loop's outer axis is the batch; channels are its columns and positions its rows where
/// `isChannelsLast`, else the other way round. A unit holds whole groups and all positions.
package struct GroupParameters: BitwiseCopyable, @unchecked Sendable {
  package var loop: ElementwiseLoop
  /// Of x.
  package var format = ElementFormat.float32
  package var scaleFormat = ElementFormat.float32
  package var biasFormat = ElementFormat.float32
  /// Where in the scratch x is widened: all rows of a unit, `loop.columnChunk` apart.
  package var inputOffset = 0
  package var isChannelsLast: Bool
  package var channelsPerGroup: Int
  package var epsilon: Float
  /// Places among the kernel's operands of vectors of channels, or -1.
  package var scale: Int
  package var bias: Int
  /// Where in the scratch three vectors of a unit's channels and one row of results are.
  package var statisticsOffset: Int
  package var resultOffset: Int
  package var epilogue: ElementwiseEpilogue

  package init(
    loop: ElementwiseLoop, isChannelsLast: Bool, channelsPerGroup: Int, epsilon: Float, scale: Int,
    bias: Int, statisticsOffset: Int, resultOffset: Int, epilogue: ElementwiseEpilogue
  ) {
    self.loop = loop
    self.isChannelsLast = isChannelsLast
    self.channelsPerGroup = channelsPerGroup
    self.epsilon = epsilon
    self.scale = scale
    self.bias = bias
    self.statisticsOffset = statisticsOffset
    self.resultOffset = resultOffset
    self.epilogue = epilogue
  }
}
