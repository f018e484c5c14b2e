/// Elements between neighbours of an operand of attention along its four axes; 0 broadcasts.
package struct AttentionStrides: BitwiseCopyable, Sendable {
  package var batch = 0
  package var head = 0
  package var position = 0
  package var feature = 0

  package init() {}
}

/// A register tile that products are computed with, and a narrower one for what columns are left.
package struct AttentionTile: BitwiseCopyable, Sendable {
  package var rows: Int
  package var columns: Int
  package var function: ContractionTileFunction
  package var tailRows: Int
  package var tailColumns: Int
  package var tailFunction: ContractionTileFunction

  package init(rows: Int, columns: Int, function: ContractionTileFunction) {
    self.rows = rows
    self.columns = columns
    self.function = function
    tailRows = rows
    tailColumns = columns
    tailFunction = function
  }

  /// The columns of the panel that begins where so many columns are left.
  package func width(left: Int) -> Int { left <= tailColumns ? tailColumns : columns }

  /// The columns of all panels together.
  package func paddedColumns(_ count: Int) -> Int {
    let rest = count % columns
    return rest == 0 ? count : count - rest + width(left: rest)
  }
}

/// What is added to scores.
package enum AttentionMask: UInt8, BitwiseCopyable, Sendable {
  case none
  /// False excludes.
  case bool
  case float
}

/// Attention, head by head. Operands: output, query, key, value, the mask or another operand in its place, those
/// of the epilogue.
///
/// The loop's outer axes are batch and head, its rows the queries and its columns the features of the value; its
/// operands are the output and those of the epilogue. A unit is a block of queries of one head.
package struct AttentionParameters: BitwiseCopyable, @unchecked Sendable {
  package var loop: ElementwiseLoop
  package var query = AttentionStrides()
  package var key = AttentionStrides()
  package var value = AttentionStrides()
  /// Of query, key and value.
  package var format = ElementFormat.float32
  package var maskFormat = ElementFormat.float32
  /// The strides along queries (`position`) and keys (`feature`).
  package var mask = AttentionStrides()
  package var maskKind = AttentionMask.none
  /// Query heads for each key head.
  package var headsPerGroup = 1
  package var keyCount = 0
  package var depth = 0
  package var scale: Float = 1
  package var softCap: Float = 0
  package var isCausal = false
  /// What is added to a query's position for the last key that it sees.
  package var causalOffset = 0
  package var scoreTile: AttentionTile
  package var valueTile: AttentionTile
  /// Queries that are computed at a time.
  package var block = 1
  // Where in the scratch the packed operands, scores and results are.
  package var keyOffset = 0
  package var valueOffset = 0
  package var queryOffset = 0
  package var scoreOffset = 0
  package var resultOffset = 0
  package var pointerOffset = 0
  // Where what is not stored as floats is widened.
  package var wideKeyOffset = 0
  package var wideValueOffset = 0
  package var wideQueryOffset = 0
  package var wideMaskOffset = 0
  package var epilogue: ElementwiseEpilogue

  package init(
    loop: ElementwiseLoop, scoreTile: AttentionTile, valueTile: AttentionTile,
    epilogue: ElementwiseEpilogue
  ) {
    self.loop = loop
    self.scoreTile = scoreTile
    self.valueTile = valueTile
    self.epilogue = epilogue
  }

  /// Floats between rows of scores and of results.
  package var scoreStride: Int { scoreTile.paddedColumns(keyCount) }
  package var resultStride: Int { valueTile.paddedColumns(loop.columns) }
}
