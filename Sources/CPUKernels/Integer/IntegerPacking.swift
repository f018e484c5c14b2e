import CPUKernelInterface

/// Packs one panel of weights for each task.
func runIntegerPack(
  _ parameters: UnsafeRawPointer, _ operands: UnsafePointer<UnsafeMutableRawPointer>,
  _ firstTask: Int, _ endTask: Int, _ scratch: UnsafeMutableRawPointer
) {
  let p = parameters.assumingMemoryBound(to: IntegerPackParameters.self).pointee
  let source = UnsafePointer(operands[p.operands.weights].assumingMemoryBound(to: UInt8.self))
  let workspace = operands[p.operands.workspace]
  let packed = (workspace + p.weightsOffset).assumingMemoryBound(to: Int8.self)
  let starts = (workspace + p.startOffset).assumingMemoryBound(to: Int32.self)
  for task in firstTask..<endTask {
    let (matrix, panelOfMatrix) = task.quotientAndRemainder(dividingBy: p.panelsOfMatrix)
    let offsets = matrixOffsets(p.batch, matrix)
    let (group, panel) = panelOfMatrix.quotientAndRemainder(dividingBy: p.panels)
    let place = offsets.output &* p.panelsOfMatrix &+ panelOfMatrix
    let target = packed + place &* p.panelBytes
    target.update(repeating: 0, count: p.panelBytes)
    let start = starts + place &* p.tileColumns
    if let initial = p.start {
      start.update(from: initial + panelOfMatrix &* p.tileColumns, count: p.tileColumns)
    }
    let first = panel &* p.tileColumns
    for column in 0..<min(p.tileColumns, p.columns &- first) {
      let index = group &* p.columns &+ first &+ column
      if p.factorBytes == 2 {
        packPairs(
          p, source + 2 &* (offsets.input &+ index &* p.outputStride), target + column &* 4)
        continue
      }
      let sum = packColumn(
        p, source + (offsets.input &+ index &* p.outputStride), target + column &* 4)
      if p.flipsInput { start[column] &-= 128 &* sum }
    }
  }
}

/// The source and target offsets of matrix `index`.
private func matrixOffsets(_ batch: ContractionBatch, _ index: Int) -> (input: Int, output: Int) {
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

/// Packs the weights of one column and returns their sum.
private func packColumn(
  _ p: IntegerPackParameters, _ source: UnsafePointer<UInt8>, _ target: UnsafeMutablePointer<Int8>
) -> Int32 {
  let plane = p.taps &* p.quads &* p.tileColumns &* 4
  var sum: Int32 = 0
  for y in 0..<p.height {
    for x in 0..<p.width {
      let tap = p.takesRows ? y : y &* p.width &+ x
      let first = p.takesRows ? x &* p.channels : 0
      let from = source + (y &* p.rowStride &+ x &* p.columnStride)
      let to = target + tap &* p.quads &* p.tileColumns &* 4
      for channel in 0..<p.channels {
        let byte = from[channel &* p.channelStride]
        let k = first &+ channel
        let place = to + ((k &>> 2) &* p.tileColumns &* 4 &+ k & 3)
        if p.isUnsigned {
          sum &+= Int32(byte)
          // What signed bytes do not hold goes on to the next plane.
          var rest = byte
          for index in 0..<p.planes {
            let part = min(rest, 127)
            place[index &* plane] = Int8(truncatingIfNeeded: part)
            rest &-= part
          }
        } else {
          place[0] = Int8(bitPattern: byte)
          sum &+= Int32(place[0])
        }
      }
    }
  }
  return sum
}

/// Packs the weights of one column of bfloat16.
private func packPairs(
  _ p: IntegerPackParameters, _ source: UnsafePointer<UInt8>, _ target: UnsafeMutablePointer<Int8>
) {
  for y in 0..<p.height {
    for x in 0..<p.width {
      let tap = p.takesRows ? y : y &* p.width &+ x
      let first = p.takesRows ? x &* p.channels : 0
      let from = UnsafeRawPointer(source + 2 &* (y &* p.rowStride &+ x &* p.columnStride))
      let to = UnsafeMutableRawPointer(target + tap &* p.quads &* p.tileColumns &* 4)
      for channel in 0..<p.channels {
        let number = from.loadUnaligned(
          fromByteOffset: 2 &* channel &* p.channelStride, as: UInt16.self)
        let k = first &+ channel
        to.storeBytes(
          of: number, toByteOffset: (k &>> 1) &* p.tileColumns &* 4 &+ 2 &* (k & 1),
          as: UInt16.self)
      }
    }
  }
}

/// Copies blocks of rows of an image, with their borders.
func runIntegerCopy(
  _ parameters: UnsafeRawPointer, _ operands: UnsafePointer<UnsafeMutableRawPointer>,
  _ firstTask: Int, _ endTask: Int, _ scratch: UnsafeMutableRawPointer
) {
  let p = parameters.assumingMemoryBound(to: IntegerCopyParameters.self)
  let source = UnsafePointer(operands[p.pointee.operands.input].assumingMemoryBound(to: UInt8.self))
  let target = operands[p.pointee.operands.workspace].assumingMemoryBound(to: UInt8.self)
  let pixelBytes = p.pointee.groups &* p.pointee.paddedChannels
  let rowBytes = p.pointee.paddedWidth &* pixelBytes
  for task in firstTask..<endTask {
    let (image, rowBlock) = task.quotientAndRemainder(dividingBy: p.pointee.rowBlocks)
    let (input, output) = matrixOffsets(p.pointee.batch, image)
    let first = rowBlock &* p.pointee.rowsPerTask
    for row in first..<min(first &+ p.pointee.rowsPerTask, p.pointee.paddedHeight) {
      let line = target + (output &+ row &* rowBytes)
      let y = row &- p.pointee.padTop
      guard y >= 0, y < p.pointee.height else {
        line.update(repeating: p.pointee.fill, count: rowBytes)
        continue
      }
      let before = min(p.pointee.padLeft, p.pointee.paddedWidth)
      let pixels = min(p.pointee.width, p.pointee.paddedWidth &- before)
      line.update(repeating: p.pointee.fill, count: before &* pixelBytes)
      let end = before &+ pixels
      (line + end &* pixelBytes).update(
        repeating: p.pointee.fill, count: (p.pointee.paddedWidth &- end) &* pixelBytes)
      copyPixels(
        p, source + (input &+ y &* p.pointee.rowStride), line + before &* pixelBytes, pixels)
    }
  }
}

private func copyPixels(
  _ p: UnsafePointer<IntegerCopyParameters>, _ source: UnsafePointer<UInt8>,
  _ target: UnsafeMutablePointer<UInt8>, _ pixels: Int
) {
  let flip = p.pointee.flip
  let channels = p.pointee.channels
  let all = p.pointee.groups &* channels
  let padded = p.pointee.paddedChannels
  let pixelBytes = p.pointee.groups &* padded
  let pixelStride = p.pointee.pixelStride
  let channelStride = p.pointee.channelStride
  if channelStride != 1, p.pointee.factorBytes == 2 {
    copyPairs(p, source, target, pixels)
    return
  }
  if channelStride == 1, pixelStride == all, padded == channels {
    for index in 0..<(pixels &* all) { target[index] = source[index] ^ flip }
    return
  }
  for group in 0..<p.pointee.groups {
    let from = source + group &* channels &* channelStride
    let to = target + group &* padded
    if channelStride == 1 {
      for x in 0..<pixels {
        let a = from + x &* pixelStride
        let b = to + x &* pixelBytes
        for c in 0..<channels { b[c] = a[c] ^ flip }
      }
    } else {
      for c in 0..<channels {
        let plane = from + c &* channelStride
        for x in 0..<pixels { to[x &* pixelBytes &+ c] = plane[x &* pixelStride] ^ flip }
      }
    }
    // Weights of padding are zero, whatever it holds; but the workspace is not left unwritten.
    for x in 0..<pixels {
      for c in channels..<padded { to[x &* pixelBytes &+ c] = 0 }
    }
  }
}

/// The same for channels of bfloat16 that are not adjacent.
private func copyPairs(
  _ p: UnsafePointer<IntegerCopyParameters>, _ source: UnsafePointer<UInt8>,
  _ target: UnsafeMutablePointer<UInt8>, _ pixels: Int
) {
  let channels = p.pointee.channels / 2
  let padded = p.pointee.paddedChannels / 2
  let from = UnsafeRawPointer(source)
  let to = UnsafeMutableRawPointer(target)
  for x in 0..<pixels {
    for group in 0..<p.pointee.groups {
      let place = 2 &* (x &* p.pointee.groups &+ group) &* padded
      for c in 0..<padded {
        var number: UInt16 = 0
        if c < channels {
          number = from.loadUnaligned(
            fromByteOffset: x &* p.pointee.pixelStride
              &+ (group &* channels &+ c) &* p.pointee.channelStride, as: UInt16.self)
        }
        to.storeBytes(of: number, toByteOffset: place &+ 2 &* c, as: UInt16.self)
      }
    }
  }
}
