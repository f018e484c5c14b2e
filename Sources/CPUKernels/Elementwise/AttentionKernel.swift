import CPUKernelInterface

/// `AttentionParameters`.
let attentionKernel: KernelFunction = { parameters, operands, firstTask, endTask, scratch in
  AttentionHeads(
    parameters.assumingMemoryBound(to: AttentionParameters.self), operands, scratch
  )
  .run(firstTask, endTask)
}

private struct AttentionHeads {
  private let problem: AttentionParameters
  private let operands: UnsafePointer<UnsafeMutableRawPointer>
  private let scratch: UnsafeMutableRawPointer
  private let epilogue: EpilogueMachine?
  /// `[panel][depth][column]`.
  private let keys: UnsafeMutablePointer<Float>
  /// `[panel][key][column]`.
  private let values: UnsafeMutablePointer<Float>
  private let queries: UnsafeMutablePointer<Float>
  private let scores: UnsafeMutablePointer<Float>
  private let results: UnsafeMutablePointer<Float>
  private let pointers: UnsafeMutablePointer<UnsafePointer<Float>>

  init(
    _ parameters: UnsafePointer<AttentionParameters>,
    _ operands: UnsafePointer<UnsafeMutableRawPointer>, _ scratch: UnsafeMutableRawPointer
  ) {
    problem = parameters.pointee
    self.operands = operands
    self.scratch = scratch
    epilogue = EpilogueMachine(
      problem.epilogue, problem.loop, firstLoopOperand: 1, operands, scratch: scratch)
    func floats(_ offset: Int) -> UnsafeMutablePointer<Float> {
      (scratch + offset).assumingMemoryBound(to: Float.self)
    }
    keys = floats(problem.keyOffset)
    values = floats(problem.valueOffset)
    queries = floats(problem.queryOffset)
    scores = floats(problem.scoreOffset)
    results = floats(problem.resultOffset)
    pointers = (scratch + problem.pointerOffset).assumingMemoryBound(
      to: UnsafePointer<Float>.self)
  }

  /// The positions and features of a head, where they lie or widened.
  private struct Head {
    var first: UnsafePointer<Float>
    var position: Int
    var feature: Int
  }

  /// - Parameter offset: where in the scratch positions are widened.
  private func head(
    _ operand: Int, _ strides: AttentionStrides, batch: Int, head: Int, position: Int = 0,
    positions: Int, features: Int, _ offset: Int
  ) -> Head {
    let place =
      batch * strides.batch + head * strides.head + position * strides.position
    let size = problem.format.size
    let source = operands[operand] + place * size
    if size == 4 {
      return Head(
        first: UnsafePointer(source.assumingMemoryBound(to: Float.self)),
        position: strides.position, feature: strides.feature)
    }
    let target = scratch + offset
    ElementPacking.pack(
      BlockOperand(source, rowStride: strides.position, columnStride: strides.feature),
      problem.format, rows: positions, columns: features, into: target)
    return Head(
      first: UnsafePointer(target.assumingMemoryBound(to: Float.self)), position: features,
      feature: 1)
  }

  func run(_ firstTask: Int, _ endTask: Int) {
    var units = LoopUnits(problem.loop, firstTask, endTask, scratch: scratch)
    // Consecutive units often share their keys.
    var loaded = -1
    var packed = -1
    var key = Head(first: UnsafePointer(keys), position: 0, feature: 0)
    var value = key
    while units.advance() {
      let batch = units.coordinate(0), head = units.coordinate(1)
      let group = head / problem.headsPerGroup
      let identity = batch * problem.loop.outerExtents[1] + group
      if identity != loaded {
        key = self.head(
          2, problem.key, batch: batch, head: group, positions: problem.keyCount,
          features: problem.depth, problem.wideKeyOffset)
        value = self.head(
          3, problem.value, batch: batch, head: group, positions: problem.keyCount,
          features: problem.loop.columns, problem.wideValueOffset)
        loaded = identity
      }
      if units.rows <= Self.fewQueries, key.feature == 1, value.feature == 1 {
        for row in 0..<units.rows {
          packQueries(batch: batch, head: head, units.row + row, 1)
          score(key)
          normalize(scores, query: units.row + row, batch: batch, head: head)
          combine(value)
          store(row, 1, units)
        }
        continue
      }
      if identity != packed {
        packKeys(key)
        packValues(value)
        packed = identity
      }
      var row = 0
      while row < units.rows {
        let rows = min(problem.block, units.rows - row)
        let first = units.row + row
        packQueries(batch: batch, head: head, first, rows)
        multiply(
          problem.scoreTile, queries, problem.depth, problem.depth, keys, scores,
          problem.scoreStride, rows)
        for index in 0..<rows {
          normalize(
            scores + index * problem.scoreStride, query: first + index, batch: batch, head: head)
        }
        multiply(
          problem.valueTile, scores, problem.scoreStride, problem.keyCount, values, results,
          problem.resultStride, rows)
        store(row, rows, units)
        row += rows
      }
    }
  }

  /// Queries for which packing keys and values does not pay.
  private static var fewQueries: Int { 3 }

  /// The scores of one query.
  private func score(_ key: Head) {
    let depth = problem.depth
    for index in 0..<problem.keyCount {
      let line = key.first + index * key.position
      var a = FloatVector(0), b = a
      var feature = 0
      while feature + 2 * vectorWidth <= depth {
        a = FloatVector.load(line + feature).multiplyAdd(.load(queries + feature), a)
        b = FloatVector.load(line + feature + vectorWidth)
          .multiplyAdd(.load(queries + feature + vectorWidth), b)
        feature += 2 * vectorWidth
      }
      while feature + vectorWidth <= depth {
        a = FloatVector.load(line + feature).multiplyAdd(.load(queries + feature), a)
        feature += vectorWidth
      }
      var sum = (a + b).horizontalSum
      while feature < depth {
        sum += line[feature] * queries[feature]
        feature += 1
      }
      scores[index] = sum
    }
  }

  /// The values of one query, weighted by its scores.
  private func combine(_ value: Head) {
    let columns = problem.loop.columns
    let width = vectorWidth
    var column = 0
    while column + 4 * width <= columns {
      var a = FloatVector(0), b = a, c = a, d = a
      for index in 0..<problem.keyCount {
        let line = value.first + index * value.position + column
        let weight = FloatVector(scores[index])
        a = FloatVector.load(line).multiplyAdd(weight, a)
        b = FloatVector.load(line + width).multiplyAdd(weight, b)
        c = FloatVector.load(line + 2 * width).multiplyAdd(weight, c)
        d = FloatVector.load(line + 3 * width).multiplyAdd(weight, d)
      }
      a.store(results + column)
      b.store(results + column + width)
      c.store(results + column + 2 * width)
      d.store(results + column + 3 * width)
      column += 4 * width
    }
    while column < columns {
      let count = min(width, columns - column)
      var a = FloatVector(0)
      for index in 0..<problem.keyCount {
        let line = value.first + index * value.position + column
        let vector: FloatVector = count == width ? .load(line) : .loadPartial(line, count)
        a = vector.multiplyAdd(FloatVector(scores[index]), a)
      }
      if count == width {
        a.store(results + column)
      } else {
        a.storePartial(results + column, count)
      }
      column += count
    }
  }

  private func store(_ row: Int, _ rows: Int, _ units: LoopUnits) {
    let loop = problem.loop
    if let epilogue {
      epilogue.finish(
        UnsafeMutableRawPointer(results), resultStride: problem.resultStride,
        offsets: units.offsets, row: row, rows: rows, column: 0, columns: loop.columns)
      return
    }
    for index in 0..<rows {
      let offset = units.offsets[0] + (row + index) * loop.rowStrides[0]
      ElementPacking.unpack(
        UnsafeMutableRawPointer(results + index * problem.resultStride), .float32, rows: 1,
        columns: loop.columns,
        to: BlockOperand(
          operands[0] + offset * 4, rowStride: 0, columnStride: loop.columnStrides[0]))
    }
  }

  // MARK: - Packing

  private func packQueries(batch: Int, head: Int, _ first: Int, _ rows: Int) {
    let depth = problem.depth
    let source = self.head(
      1, problem.query, batch: batch, head: head, position: first, positions: rows,
      features: depth, problem.wideQueryOffset)
    let scale = FloatVector(problem.scale)
    for row in 0..<rows {
      let line = source.first + row * source.position
      let target = queries + row * depth
      if source.feature == 1 {
        VectorLoop.map(line, target, depth) { $0 * scale }
      } else {
        for index in 0..<depth {
          target[index] = line[index * source.feature] * problem.scale
        }
      }
    }
  }

  private func packKeys(_ source: Head) {
    let depth = problem.depth
    let stride = source.position
    var first = 0
    while first < problem.keyCount {
      let left = problem.keyCount - first
      let width = problem.scoreTile.width(left: left)
      let count = min(width, left)
      let panel = keys + first * depth
      let lines = source.first + first * stride
      var column = 0
      if source.feature == 1 {
        while column + 4 <= count {
          var index = 0
          while index + 4 <= depth {
            TransposeTile.move(
              lines + column * stride + index, stride, panel + index * width + column, width)
            index += 4
          }
          packScalars(source, lines, panel, width, column..<column + 4, index..<depth)
          column += 4
        }
      }
      packScalars(source, lines, panel, width, column..<count, 0..<depth)
      first += width
    }
  }

  private func packScalars(
    _ source: Head, _ lines: UnsafePointer<Float>, _ panel: UnsafeMutablePointer<Float>,
    _ width: Int, _ columns: Range<Int>, _ depth: Range<Int>
  ) {
    for index in depth {
      for column in columns {
        panel[index * width + column] =
          lines[column * source.position + index * source.feature]
      }
    }
  }

  private func packValues(_ source: Head) {
    var first = 0
    while first < problem.loop.columns {
      let left = problem.loop.columns - first
      let width = problem.valueTile.width(left: left)
      let panel = values + first * problem.keyCount
      for key in 0..<problem.keyCount {
        let line = source.first + key * source.position + first * source.feature
        ElementPacking.pack(
          BlockOperand(
            UnsafeMutableRawPointer(mutating: line), rowStride: 0,
            columnStride: source.feature), .float32, rows: 1, columns: min(width, left),
          into: UnsafeMutableRawPointer(panel + key * width))
      }
      first += width
    }
  }

  // MARK: - Arithmetic

  /// `target = a * b`, with b in panels of the tile's columns.
  private func multiply(
    _ tile: AttentionTile, _ a: UnsafePointer<Float>, _ aStride: Int, _ inner: Int,
    _ b: UnsafePointer<Float>, _ target: UnsafeMutablePointer<Float>, _ targetStride: Int,
    _ rows: Int
  ) {
    for row in 0..<rows { pointers[row] = a + row * aStride }
    var column = 0
    while column < targetStride {
      let width = tile.width(left: targetStride - column)
      let isTail = width == tile.tailColumns
      let step = isTail ? tile.tailRows : tile.rows
      var row = 0
      while row < rows {
        let count = min(step, rows - row)
        var arguments = ContractionTileArguments(
          pointers: UnsafePointer(pointers + row), taps: 1, firstElement: 0, elements: inner,
          weights: b + column * inner, weightsRowStride: width,
          output: target + row * targetStride + column, outputStride: targetStride, rows: count)
        if isTail { tile.tailFunction(&arguments) } else { tile.function(&arguments) }
        row += count
      }
      column += width
    }
  }

  /// Turns a query's scores into weights that sum to 1, or all zeros where it sees no key.
  private func normalize(
    _ row: UnsafeMutablePointer<Float>, query: Int, batch: Int, head: Int
  ) {
    let count = problem.keyCount
    let visible =
      problem.isCausal ? min(max(query + 1 + problem.causalOffset, 0), count) : count
    if problem.softCap != 0 {
      let cap = FloatVector(problem.softCap)
      VectorLoop.map(UnsafePointer(row), row, visible) {
        VectorFunction.hyperbolicTangent($0 / cap) * cap
      }
    }
    addMask(row, visible, query: query, batch: batch, head: head)
    for index in visible..<count { row[index] = 0 }
    let largest = VectorLoop.fold(
      LargestFold.self, row, visible, initial: -.infinity, filler: -.infinity
    )
    .reduced { $0 > $1 ? $0 : $1 }
    if largest == -.infinity, hasNoNumbers(row, visible) {
      for index in 0..<visible { row[index] = 0 }
      return
    }
    let shift = FloatVector(largest)
    var sums = FloatVector(0)
    var index = 0
    while index + vectorWidth <= visible {
      let value = VectorFunction.weight(FloatVector.load(row + index) - shift)
      value.store(row + index)
      sums += value
      index += vectorWidth
    }
    if index < visible {
      let rest = visible - index
      let value = VectorFunction.weight(
        FloatVector.loadPartial(row + index, rest, filler: -.infinity) - shift)
      value.storePartial(row + index, rest)
      sums += value
    }
    let factor = FloatVector(1 / sums.horizontalSum)
    VectorLoop.map(UnsafePointer(row), row, visible) { $0 * factor }
  }

  /// Whether all are minus infinity, which a NaN beside them would not show.
  private func hasNoNumbers(_ row: UnsafePointer<Float>, _ count: Int) -> Bool {
    for index in 0..<count where row[index] != -.infinity { return false }
    return true
  }

  private func addMask(
    _ row: UnsafeMutablePointer<Float>, _ count: Int, query: Int, batch: Int, head: Int
  ) {
    let strides = problem.mask
    let offset = batch * strides.batch + head * strides.head + query * strides.position
    switch problem.maskKind {
    case .none: return
    case .bool:
      let mask = operands[4].assumingMemoryBound(to: UInt8.self) + offset
      for index in 0..<count where mask[index * strides.feature] == 0 { row[index] = -.infinity }
    case .float:
      let size = problem.maskFormat.size
      let place = operands[4] + offset * size
      let mask = place.assumingMemoryBound(to: Float.self)
      if size != 4 {
        let wide = scratch + problem.wideMaskOffset
        ElementPacking.pack(
          BlockOperand(place, rowStride: 0, columnStride: strides.feature), problem.maskFormat,
          rows: 1, columns: count, into: wide)
        addTerms(wide.assumingMemoryBound(to: Float.self), row, count)
      } else if strides.feature == 1 {
        addTerms(mask, row, count)
      } else {
        for index in 0..<count {
          let term = mask[index * strides.feature]
          row[index] = term == -.infinity ? term : row[index] + term
        }
      }
    }
  }

  private func addTerms(
    _ mask: UnsafePointer<Float>, _ row: UnsafeMutablePointer<Float>, _ count: Int
  ) {
    let excluded = FloatVector(-Float.infinity)
    var index = 0
    while index + vectorWidth <= count {
      let term = FloatVector.load(mask + index)
      (FloatVector.load(row + index) + term).replacing(with: term, where: term .== excluded)
        .store(row + index)
      index += vectorWidth
    }
    while index < count {
      row[index] = mask[index] == -.infinity ? mask[index] : row[index] + mask[index]
      index += 1
    }
  }
}
