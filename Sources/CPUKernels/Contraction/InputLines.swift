import CPUKernelInterface

/// Widens the lines of an input that is stored in 16 bits.
struct InputLines {
  private let lines: ContractionLines
  private let format: ElementFormat
  private let target: UnsafeMutablePointer<Float>

  /// Nil where the input needs no widening.
  init?(_ lines: ContractionLines, _ format: ElementFormat, _ scratch: UnsafeMutableRawPointer) {
    switch format {
    case .float16, .bfloat16: break
    default: return nil
    }
    self.lines = lines
    self.format = format
    target = scratch.assumingMemoryBound(to: Float.self)
  }

  /// Elements between images, lines and pixels of what is widened.
  var strides: ContractionStrides { lines.target }

  /// Widens a block, and returns where the first pixel of all images would lie.
  ///
  /// - Parameter offset: elements from `source` to the first pixel of all images.
  func widen(
    _ source: UnsafeRawPointer, _ offset: Int, _ block: ContractionLineBlock
  ) -> UnsafePointer<Float> {
    for index in 0..<block.lines {
      let (image, y) = (block.line &+ index).quotientAndRemainder(dividingBy: lines.height)
      let place =
        offset &+ image &* lines.source.batch &+ y &* lines.source.row
        &+ block.position &* lines.source.pixel
      widenLine(source + place &* 2, target + index &* lines.pitch, block.positions)
    }
    return UnsafePointer(target) - (block.line &* lines.pitch &+ block.position &* lines.pixel)
  }

  private func widenLine(
    _ source: UnsafeRawPointer, _ target: UnsafeMutablePointer<Float>, _ positions: Int
  ) {
    if lines.pixel == lines.source.pixel {
      let count = (positions &- 1) &* lines.pixel &+ lines.run
      NumberConversion.widen(source, format, target, count)
      return
    }
    NumberConversion.widen(
      source, lines.source.pixel, format, NumberRows(target, lines.pixel), rows: positions,
      columns: lines.run)
  }
}
