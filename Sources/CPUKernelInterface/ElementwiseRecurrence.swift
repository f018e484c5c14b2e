package enum RecurrenceCell: UInt8, BitwiseCopyable, Sendable { case rnn, gru, lstm }

/// A recurrent layer of float numbers, in two kernels.
///
/// Weights are packed `[direction][panel][inner][column]` in panels of the tile's columns; a column is a unit of
/// a gate, gate after gate. Biases are `[direction][column]`. `projected` is workspace,
/// `[direction][step][batch][column]`: the inputs times their weights, plus their bias.
package struct RecurrenceParameters: BitwiseCopyable, @unchecked Sendable {
  package var cell: RecurrenceCell
  package var steps = 0
  package var batch = 0
  package var inputSize = 0
  package var size = 0
  package var gates = 1
  package var directions = 1
  /// Whether the first direction runs backwards.
  package var isReverse = false
  package var resetsAfterLinear = false
  package var couplesInputAndForget = false
  package var tile: AttentionTile
  package var inputWeights: UnsafePointer<Float>
  package var recurrentWeights: UnsafePointer<Float>
  /// What is added to the projected inputs.
  package var inputBias: UnsafePointer<Float>
  /// What is added to the recurrent products.
  package var recurrentBias: UnsafePointer<Float>
  /// `[direction][3]` programs of one operand: the layer's functions f, g and h.
  package var functions: UnsafePointer<UnsafePointer<VectorProgram>>
  /// `[direction][3][size]`, or nil.
  package var peepholes: UnsafePointer<Float>?
  // Places among the operands, or -1.
  package var lengths = -1
  package var initialHidden = -1
  package var initialCell = -1
  package var hasCellOutput = false
  /// Rows of inputs that one task projects, and sequences that one task runs.
  package var rowsPerTask = 1
  package var sequencesPerTask = 1
  // Where in the scratch is what the kernels need.
  package var gateOffset = 0
  package var stateOffset = 0
  package var pointerOffset = 0
  package var programOffset = 0

  package init(
    cell: RecurrenceCell, tile: AttentionTile, inputWeights: UnsafePointer<Float>,
    recurrentWeights: UnsafePointer<Float>, inputBias: UnsafePointer<Float>,
    recurrentBias: UnsafePointer<Float>,
    functions: UnsafePointer<UnsafePointer<VectorProgram>>
  ) {
    self.cell = cell
    self.tile = tile
    self.inputWeights = inputWeights
    self.recurrentWeights = recurrentWeights
    self.inputBias = inputBias
    self.recurrentBias = recurrentBias
    self.functions = functions
  }

  /// Columns of all gates, filled up to whole panels.
  package var columns: Int {
    (gates * size + tile.columns - 1) / tile.columns * tile.columns
  }
  package var projectionTasks: Int {
    directions * ((steps * batch + rowsPerTask - 1) / rowsPerTask)
  }
  package var sequenceTasks: Int {
    directions * ((batch + sequencesPerTask - 1) / sequencesPerTask)
  }
  /// Floats between the states of sequences.
  package var stateStride: Int { (size + 15) / 16 * 16 }
}
