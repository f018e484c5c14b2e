import KernelModel
import ProgramModel
import TensorModel

/// A box of the output and where its elements come from, of one shape.
struct CopyPiece {
  /// The step's input.
  var input: Int
  /// Elements from the first of the input, or of the filler.
  var sourceOffset: Int
  var source: View
  var target: View
  var isFill = false

  private static let maximumPieces = 1024

  private init(_ input: Int, from base: View, _ source: View, to target: View) {
    self.input = input
    self.source = source
    self.target = target
    sourceOffset = source.offset - base.offset
  }

  /// A copy problem as pieces; nil where it is none that boxes can express.
  static func pieces(_ problem: Copy, _ inputs: [View?], _ output: View) -> [CopyPiece]? {
    guard let x = inputs.first ?? nil else { return nil }
    let whole = [Int](repeating: 1, count: output.rank)
    switch problem {
    case .reshape:
      if x.shape == output.shape { return [CopyPiece(0, from: x, x, to: output)] }
      if let source = x.reshaped(output.shape) {
        return [CopyPiece(0, from: x, source, to: output)]
      }
      return output.reshaped(x.shape).map { [CopyPiece(0, from: x, x, to: $0)] }
    case .transpose(let permutation):
      return [CopyPiece(0, from: x, x.transposed(permutation), to: output)]
    case .expand:
      return [CopyPiece(0, from: x, x.expanded(to: output.shape), to: output)]
    case .slice(let starts, let sizes, let steps):
      guard let starts = Shape(starts).constants, let sizes = Shape(sizes).constants else {
        return nil
      }
      // A step may be huge where it is not taken.
      let steps = steps.indices.map { sizes[$0] > 1 ? steps[$0] : 1 }
      return [
        CopyPiece(0, from: x, x.sliced(starts: starts, sizes: sizes, steps: steps), to: output)
      ]
    case .tile(let repeats):
      return Shape(repeats).constants.map { [tiled(x, output, $0)] }
    case .concatenate(let axis):
      var pieces: [CopyPiece] = []
      var starts = [Int](repeating: 0, count: output.rank)
      for (index, input) in inputs.enumerated() {
        guard let input else { return nil }
        let part = output.sliced(starts: starts, sizes: input.shape, steps: whole)
        pieces.append(CopyPiece(index, from: input, input, to: part))
        starts[axis] += input.shape[axis]
      }
      return pieces
    case .pad(let mode, let before, _):
      return Shape(before).constants.flatMap { padded(x, output, mode, $0) }
    }
  }

  /// Every axis as the repeats and the elements.
  private static func tiled(_ x: View, _ output: View, _ repeats: [Int]) -> CopyPiece {
    var source = x, target = output
    source.shape = zip(repeats, x.shape).flatMap { [$0, $1] }
    source.strides = x.strides.flatMap { [0, $0] }
    target.shape = source.shape
    target.strides = output.strides.indices.flatMap {
      [output.strides[$0] * x.shape[$0], output.strides[$0]]
    }
    return CopyPiece(0, from: x, source, to: target)
  }

  // MARK: - Pads

  /// `count` positions of an axis from `target` on that show elements from `source` on in steps.
  private struct Segment {
    var target: Int
    var count: Int
    /// Nil: the filler.
    var source: Int?
    var step = 0
  }

  private static func padded(
    _ x: View, _ output: View, _ mode: Copy.PadMode, _ before: [Int]
  ) -> [CopyPiece]? {
    var boxes: [[Segment]] = [[]]
    for axis in output.shape.indices {
      let segments = segments(output.shape[axis], x.shape[axis], mode, before[axis])
      guard let segments, boxes.count * segments.count <= maximumPieces else { return nil }
      boxes = boxes.flatMap { box in segments.map { box + [$0] } }
    }
    return boxes.map { box in
      var source = x, target = output
      let isFill = box.contains { $0.source == nil }
      source.shape = box.map(\.count)
      target.shape = source.shape
      for axis in box.indices {
        target.offset += box[axis].target * output.strides[axis]
        source.offset += (box[axis].source ?? 0) * x.strides[axis]
        source.strides[axis] = isFill ? 0 : x.strides[axis] * box[axis].step
      }
      var piece = CopyPiece(0, from: x, source, to: target)
      piece.isFill = isFill
      if isFill { piece.sourceOffset = 0 }
      return piece
    }
  }

  /// The segments of an axis, in order; nil where there are too many.
  private static func segments(
    _ extent: Int, _ sourceExtent: Int, _ mode: Copy.PadMode, _ before: Int
  ) -> [Segment]? {
    var result: [Segment] = []
    for position in 0..<extent {
      let (shifted, overflow) = position.subtractingReportingOverflow(before)
      guard !overflow else { return nil }
      let source = element(shifted, sourceExtent, mode)
      if let last = result.last, joins(&result[result.count - 1], last, source) { continue }
      guard result.count < maximumPieces else { return nil }
      result.append(Segment(target: position, count: 1, source: source))
    }
    return result
  }

  private static func joins(_ segment: inout Segment, _ last: Segment, _ source: Int?) -> Bool {
    guard let source, let start = last.source else {
      guard source == nil, last.source == nil else { return false }
      segment.count += 1
      return true
    }
    let distance = source - (start + (last.count - 1) * last.step)
    guard abs(distance) <= 1, last.count == 1 || distance == last.step else { return false }
    segment.step = distance
    segment.count += 1
    return true
  }

  /// The element of an axis that a position in or beside it shows; nil for the filler.
  private static func element(_ position: Int, _ extent: Int, _ mode: Copy.PadMode) -> Int? {
    if position >= 0, position < extent { return position }
    guard extent > 0 else { return nil }
    switch mode {
    case .constant: return nil
    case .edge: return min(max(position, 0), extent - 1)
    case .wrap: return modulo(position, extent)
    case .reflect:
      guard extent > 1 else { return 0 }
      let phase = modulo(position, 2 * extent - 2)
      return phase < extent ? phase : 2 * extent - 2 - phase
    }
  }

  private static func modulo(_ a: Int, _ b: Int) -> Int {
    let remainder = a % b
    return remainder < 0 ? remainder + b : remainder
  }

  /// A number as an element; nil for types that padding leaves to the reference interpreter.
  static func bytes(of value: Double, _ type: DataType) -> [UInt8]? {
    func raw<T: BitwiseCopyable>(_ element: T) -> [UInt8] {
      withUnsafeBytes(of: element) { Array($0) }
    }
    if value == 0, type.isFloatingPoint, value.sign == .plus, type != .float8E8M0 {
      return [UInt8](repeating: 0, count: type.byteCount)
    }
    switch type {
    case .float32: return raw(Float(value))
    case .float64: return raw(value)
    default: break
    }
    guard let range = type.integerRange, let whole = Int64(exactly: value), range.contains(whole)
    else { return nil }
    switch type.byteCount {
    case 8: return raw(whole)
    case 4: return raw(Int32(truncatingIfNeeded: whole))
    case 2: return raw(Int16(truncatingIfNeeded: whole))
    default: return raw(Int8(truncatingIfNeeded: whole))
    }
  }
}
