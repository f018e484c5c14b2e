import CPUKernelInterface

/// Packs one panel of weights for each task.
func runPackWeights(
  _ parameters: UnsafeRawPointer, _ operands: UnsafePointer<UnsafeMutableRawPointer>,
  _ firstTask: Int, _ endTask: Int, _ scratch: UnsafeMutableRawPointer
) {
  let p = parameters.assumingMemoryBound(to: PackParameters.self)
  if p.pointee.elementBytes == 2 {
    packWeights(UInt16.self, p, operands, firstTask, endTask)
  } else {
    packWeights(UInt32.self, p, operands, firstTask, endTask)
  }
}

@inline(__always)
private func packWeights<Element: FixedWidthInteger & BitwiseCopyable>(
  _ type: Element.Type, _ p: UnsafePointer<PackParameters>,
  _ operands: UnsafePointer<UnsafeMutableRawPointer>, _ firstTask: Int, _ endTask: Int
) {
  let source = operands[p.pointee.operands.weights].assumingMemoryBound(to: Element.self)
  let target = (operands[p.pointee.operands.workspace] + p.pointee.workspaceOffset)
    .assumingMemoryBound(to: Element.self)
  let panelElements = p.pointee.depth &* p.pointee.tileColumns
  for task in firstTask..<endTask {
    let (matrix, panel) = task.quotientAndRemainder(dividingBy: p.pointee.panels)
    let offsets = batchOffsets(p.pointee.batch, matrix)
    packPanel(
      p, panel, UnsafePointer(source) + offsets.input,
      target + (offsets.output &+ panel &* panelElements))
  }
}

/// The source and target offsets of matrix `index`.
private func batchOffsets(_ batch: ContractionBatch, _ index: Int) -> (input: Int, output: Int) {
  var rest = index
  var offsets = (input: 0, output: 0)
  for d in stride(from: 3, through: 0, by: -1) where batch[d].count > 1 {
    let (next, position) = rest.quotientAndRemainder(dividingBy: batch[d].count)
    rest = next
    offsets.input &+= position &* batch[d].input
    offsets.output &+= position &* batch[d].output
  }
  return offsets
}

@inline(__always)
private func packPanel<Element: FixedWidthInteger & BitwiseCopyable>(
  _ p: UnsafePointer<PackParameters>, _ panel: Int, _ source: UnsafePointer<Element>,
  _ target: UnsafeMutablePointer<Element>
) {
  let width = p.pointee.tileColumns
  let first = panel &* width
  let columns = min(width, p.pointee.columns &- first)
  let columnStride = p.pointee.outputStride
  let channelStride = p.pointee.channelStride
  let channels = p.pointee.channels
  var target = target
  for y in 0..<p.pointee.height {
    for x in 0..<p.pointee.width {
      let tap =
        source
        + (y &* p.pointee.rowStride &+ x &* p.pointee.columnStride &+ first &* columnStride)
      if columnStride == 1 {
        for c in 0..<channels {
          (target + c &* width).update(from: tap + c &* channelStride, count: columns)
        }
      } else {
        packTransposed(tap, columnStride, channelStride, channels, columns, target, width)
      }
      if columns < width {
        for c in 0..<channels {
          (target + (c &* width &+ columns)).update(repeating: 0, count: width &- columns)
        }
      }
      target += channels &* width
    }
  }
}

/// `target[channel][column] = source[channel][column]` with any strides, in blocks of 16 channels, so that both sides
/// stay in the first-level cache.
@inline(__always)
private func packTransposed<Element: BitwiseCopyable>(
  _ source: UnsafePointer<Element>, _ columnStride: Int, _ channelStride: Int, _ channels: Int,
  _ columns: Int, _ target: UnsafeMutablePointer<Element>, _ width: Int
) {
  var first = 0
  while first < channels {
    let end = min(first &+ 16, channels)
    for column in 0..<columns {
      let from = source + column &* columnStride
      for c in first..<end { target[c &* width &+ column] = from[c &* channelStride] }
    }
    first = end
  }
}

/// Copies blocks of rows of an image, with their borders of zeros.
func runCopyInput(
  _ parameters: UnsafeRawPointer, _ operands: UnsafePointer<UnsafeMutableRawPointer>,
  _ firstTask: Int, _ endTask: Int, _ scratch: UnsafeMutableRawPointer
) {
  let p = parameters.assumingMemoryBound(to: CopyInputParameters.self)
  if p.pointee.elementBytes == 2 {
    copyInput(UInt16.self, p, operands, firstTask, endTask)
  } else {
    copyInput(UInt32.self, p, operands, firstTask, endTask)
  }
}

@inline(__always)
private func copyInput<Element: FixedWidthInteger & BitwiseCopyable>(
  _ type: Element.Type, _ p: UnsafePointer<CopyInputParameters>,
  _ operands: UnsafePointer<UnsafeMutableRawPointer>, _ firstTask: Int, _ endTask: Int
) {
  let source = operands[p.pointee.operands.input].assumingMemoryBound(to: Element.self)
  let target = (operands[p.pointee.operands.workspace] + p.pointee.workspaceOffset)
    .assumingMemoryBound(to: Element.self)
  let rowElements = p.pointee.paddedWidth &* p.pointee.channels
  for task in firstTask..<endTask {
    let (blockOfRows, pixelBlock) = task.quotientAndRemainder(dividingBy: p.pointee.pixelBlocks)
    let (image, rowBlock) = blockOfRows.quotientAndRemainder(dividingBy: p.pointee.rowBlocks)
    let offsets = batchOffsets(p.pointee.batch, image)
    let firstRow = rowBlock &* p.pointee.rowsPerTask
    let firstPixel = pixelBlock &* p.pointee.pixelsPerTask
    let endPixel = min(firstPixel &+ p.pointee.pixelsPerTask, p.pointee.paddedWidth)
    for row in firstRow..<min(firstRow &+ p.pointee.rowsPerTask, p.pointee.paddedHeight) {
      copyRow(
        p, UnsafePointer(source) + offsets.input, row,
        target + (offsets.output &+ row &* rowElements), firstPixel, endPixel)
    }
  }
}

@inline(__always)
private func copyRow<Element: FixedWidthInteger & BitwiseCopyable>(
  _ p: UnsafePointer<CopyInputParameters>, _ source: UnsafePointer<Element>, _ row: Int,
  _ target: UnsafeMutablePointer<Element>, _ firstPixel: Int, _ endPixel: Int
) {
  let channels = p.pointee.channels
  let y = row &- p.pointee.padTop
  let left = p.pointee.padLeft
  let isInside = y >= 0 && y < p.pointee.height
  let begin = isInside ? min(max(firstPixel, left), endPixel) : endPixel
  let end = isInside ? max(min(endPixel, left &+ p.pointee.width), begin) : endPixel
  (target + firstPixel &* channels).update(
    repeating: 0, count: (begin &- firstPixel) &* channels)
  (target + end &* channels).update(repeating: 0, count: (endPixel &- end) &* channels)
  if begin >= end { return }
  let pixelStride = p.pointee.pixelStride
  let channelStride = p.pointee.channelStride
  let from = source + (y &* p.pointee.rowStride &+ (begin &- left) &* pixelStride)
  let to = target + begin &* channels
  let pixels = end &- begin
  if channelStride == 1 && pixelStride == channels {
    to.update(from: from, count: pixels &* channels)
  } else if channels <= 4 {
    for c in 0..<channels {
      let plane = from + c &* channelStride
      for x in 0..<pixels { to[x &* channels &+ c] = plane[x &* pixelStride] }
    }
  } else {
    packTransposed(from, channelStride, pixelStride, pixels, channels, to, channels)
  }
}
