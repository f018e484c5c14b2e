/// The lines of an input as they are widened to single precision in the scratch: `[line][position][run]`, where the
/// lines of all images are counted on.
package struct ContractionLines: BitwiseCopyable, Sendable {
  /// Lines of an image, and positions of a line that a run begins at.
  package var height = 1
  package var width = 1
  package var run = 1
  /// Elements between images, lines and positions where the input lies.
  package var source = ContractionStrides()
  /// Elements between lines and positions in the scratch.
  package var pitch = 0
  package var pixel = 0
  /// Lines that there is room for.
  package var room = 0

  package init() {}

  /// - Parameter positions: those of a line that there is room for.
  init(
    height: Int, width: Int, run: Int, source: ContractionStrides, positions: Int
  ) throws(ContractionPlanError) {
    self.height = height
    self.width = width
    self.run = run
    self.source = source
    // Runs that meet or overlap are one.
    pixel = min(source.pixel, run)
    pitch = try CheckedCount.product(positions, max(pixel, 1)) + run
  }

  /// The same places for shorter runs.
  @inline(__always)
  package func narrowed(to run: Int) -> ContractionLines {
    var lines = self
    lines.run = run
    return lines
  }

  /// Elements between images, lines and positions in the scratch.
  package var target: ContractionStrides {
    ContractionStrides(batch: height * pitch, row: pitch, pixel: pixel)
  }

  func byteCount() throws(ContractionPlanError) -> Int {
    roundUp(try CheckedCount.product(room, pitch, 4))
  }
}

/// A part of the lines: some positions of neighbouring lines.
package struct ContractionLineBlock: BitwiseCopyable, Equatable, Sendable {
  package var line: Int
  package var lines: Int
  package var position: Int
  package var positions: Int

  package init(line: Int, lines: Int, position: Int, positions: Int) {
    self.line = line
    self.lines = lines
    self.position = position
    self.positions = positions
  }
}

extension ContractionWindow {
  /// The lines of an image that the windows of some rows of output pixels meet, at least one.
  @inline(__always)
  package func inputLines(_ firstRow: Int, _ lastRow: Int, height: Int) -> (first: Int, last: Int) {
    let top = firstRow * strideHeight - padTop
    let bottom = lastRow * strideHeight - padTop + (self.height - 1) * dilationHeight
    return (max(min(top, height - 1), 0), max(min(bottom, height - 1), 0))
  }
}

extension ContractionParameters {
  /// What the windows of `count` output pixels meet, from pixel `first` of all images.
  package func lineBlock(_ first: Int, _ count: Int) -> ContractionLineBlock {
    let last = first + count - 1
    let (line, x) = first.quotientAndRemainder(dividingBy: outputWidth)
    let (lastLine, lastX) = last.quotientAndRemainder(dividingBy: outputWidth)
    let (image, y) = line.quotientAndRemainder(dividingBy: outputHeight)
    let (lastImage, lastY) = lastLine.quotientAndRemainder(dividingBy: outputHeight)
    let top = window.inputLines(y, y, height: lines.height).first
    let bottom = window.inputLines(lastY, lastY, height: lines.height).last
    let start = image * lines.height + top
    var block = ContractionLineBlock(
      line: start, lines: lastImage * lines.height + bottom + 1 - start, position: 0,
      positions: lines.width)
    if line == lastLine {
      let left = x * window.strideWidth - window.padLeft
      let right =
        lastX * window.strideWidth - window.padLeft + (window.width - 1) * window.dilationWidth
      block.position = max(min(left, lines.width - 1), 0)
      block.positions = max(min(right, lines.width - 1), 0) + 1 - block.position
    }
    return block
  }

  /// Lays the lines out for the blocks of pixels.
  mutating func setLines(height: Int, width: Int) throws(ContractionPlanError) {
    // Blocks of a single line need no more of it than they read.
    let isOneLine = segments == 1 && segmentLength == outputWidth
    let reach =
      (min(blocking.pixels, outputWidth) - 1) * window.strideWidth
      + (window.width - 1) * window.dilationWidth + 1
    lines = try ContractionLines(
      height: height, width: width, run: window.run, source: input,
      positions: isOneLine ? min(reach, width) : width)
    for segment in 0..<segments {
      for block in 0..<blocksPerSegment {
        let first = block * blocking.pixels
        let count = min(blocking.pixels, segmentLength - first)
        lines.room = max(lines.room, lineBlock(segment * segmentLength + first, count).lines)
      }
    }
  }
}
