import KernelModel
import ProgramModel
import TensorModel

/// A convolution or matrix product as one family of matrix products:
/// `out[batch, row, column] = epilogue(sum over depth of a[batch, row, depth] * b[batch, column, depth])`.
///
/// Rows are axes of a and of the output, columns one axis of b and of the output. The depth of a
/// convolution runs over the window's taps, outermost, and the channels; else it is one axis.
struct Contraction: Sendable {
  /// The type of a's elements; b's have as many bytes.
  let type: DataType
  /// The type of b's elements.
  let columnType: DataType
  let arithmetic: Arithmetic
  let batch: [Int]
  let rows: [Int]
  let columns: Int
  /// Nil where the depth is a single axis.
  var window: ContractionWindow?
  /// What a is taken to hold beside its elements, under a window.
  var padValue: Int
  var a: ContractionOperand
  var b: ContractionOperand
  let epilogue: ContractionEpilogue

  /// The parameters of a kernel for a and b.
  var factorParameters: [String] {
    zip([type, columnType], ["a", "b"]).map {
      "const \($0.cudaStorage ?? "float")* __restrict__ \($1)"
    }
  }
  /// Whether taps beside a's elements meet other numbers than zero.
  var padsWithNumbers: Bool { padValue != 0 && window?.isPadded ?? false }

  var batchCount: Int { batch.reduce(1, *) }
  var rowCount: Int { rows.reduce(1, *) }
  var taps: Int { window?.axes.reduce(1) { $0 * $1.taps } ?? 1 }
  /// Elements that one sum adds, with those that only pad.
  var depth: Int { max(a.depth * taps, b.depth) }
  var isEmpty: Bool { batchCount * rowCount * columns == 0 }
  /// The numbers of 16 bits that a factor is divided into for tensor cores.
  var parts: Int { type != .float32 ? 1 : arithmetic == .tensorFloat32 ? 2 : 3 }

  var multiplyAdds: Double {
    Double(batchCount) * Double(rowCount) * Double(columns) * Double(depth)
  }

  /// Nil where the step is no contraction that the family computes.
  init?(_ request: CUDARequest) {
    let step = request.step
    guard step.inputs.count >= 2, let a = step.inputs[0], let b = step.inputs[1],
      let output = step.outputs.first, step.inputs.dropFirst(2).allSatisfy({ $0 != nil }),
      Self.holds(a.dataType, b.dataType)
    else { return nil }
    let axes: OutputAxes
    let parts: Parts
    var padValue = 0
    switch step.problem {
    case .convolution(let problem):
      guard problem.groups == 1, !problem.isTransposed,
        let convolution = Parts(problem, a, b, output)
      else { return nil }
      parts = convolution
      padValue = problem.padValue
      axes = OutputAxes(batch: [], rows: [0] + Array(2..<output.rank), column: 1)
    case .matmul(let problem):
      (parts, axes) = Parts.matmul(problem, a, b, output)
    default: return nil
    }
    guard let epilogue = ContractionEpilogue(step, axes) else { return nil }
    type = a.dataType
    columnType = b.dataType
    self.padValue = padValue
    arithmetic = step.arithmetic
    batch = axes.batch.map { output.shape[$0] }
    rows = axes.rows.map { output.shape[$0] }
    columns = output.shape[axes.column]
    window = parts.window
    self.a = parts.a
    self.b = parts.b
    self.a.isConstant = request.isConstant[0]
    self.b.isConstant = request.isConstant[1]
    self.epilogue = epilogue
  }

  /// Whether tiles hold factors of these types.
  private static func holds(_ a: DataType, _ b: DataType) -> Bool {
    a.isByte ? b.isByte : [.float32, .float16, .bfloat16].contains(a) && a == b
  }
}

/// Which axes of the output are which; rows outermost first.
struct OutputAxes {
  var batch: [Int]
  var rows: [Int]
  var column: Int
}

/// The window of a convolution.
struct ContractionWindow: Hashable, Sendable {
  struct Axis: Hashable, Sendable {
    /// Extent of the input.
    var extent: Int
    var taps: Int
    var step: Int
    var dilation: Int
    var padding: Int
    /// Whether some tap of some output lies outside the input.
    var isPadded: Bool
  }

  /// The spatial axes, in the order of the rows' axes that follow the first.
  var axes: [Axis]

  var isPadded: Bool { axes.contains { $0.isPadded } }
}

/// Where the elements of a or b lie, by the axes of the contraction.
struct ContractionOperand: Sendable {
  var argument: KernelLaunch.Argument
  var isConstant = false
  /// Whether the words are numbers in two parts.
  var isDivided = false
  /// Elements before the first that `argument` points at, so that vectors can be aligned.
  var offset: Int
  var batchStrides: [Int]
  var lines: [PackedAxis]
  /// Along the axes of the window.
  var taps: [PackedAxis] = []
  var channels: PackedAxis

  var depth: Int { channels.padded }

  /// What is added to the address for the first row: the window begins outside the input.
  func origin(_ window: ContractionWindow?) -> Int {
    guard let window else { return 0 }
    return -zip(window.axes, lines.dropFirst()).reduce(0) { $0 + $1.0.padding * $1.1.stride }
  }

  /// Along each axis of rows, from one output to the next.
  func rowStrides(_ window: ContractionWindow?) -> [Int] {
    guard let window else { return lines.map(\.stride) }
    return [lines[0].stride] + zip(window.axes, lines.dropFirst()).map { $0.step * $1.stride }
  }

  /// From one tap to the next.
  func tapStrides(_ window: ContractionWindow?) -> [Int] {
    guard let window else { return [] }
    return zip(window.axes, lines.dropFirst()).map { $0.dilation * $1.stride }
  }
}

/// An axis of an operand: `extent` elements, followed by zeros up to `padded` where it was repacked.
struct PackedAxis: Hashable, Sendable {
  var extent: Int
  var padded: Int
  var stride: Int

  init(_ extent: Int, stride: Int) {
    self.extent = extent
    self.stride = stride
    padded = extent
  }
}

extension Contraction {
  fileprivate struct Parts {
    var window: ContractionWindow?
    var a: ContractionOperand
    var b: ContractionOperand

    init(window: ContractionWindow?, a: ContractionOperand, b: ContractionOperand) {
      self.window = window
      self.a = a
      self.b = b
    }

    init?(_ problem: Convolution, _ x: View, _ weights: View, _ output: View) {
      let spatial = x.rank - 2
      var axes: [ContractionWindow.Axis] = []
      for axis in 0..<spatial {
        guard let padding = problem.padsBefore[axis].constant else { return nil }
        let extent = x.shape[axis + 2], taps = weights.shape[axis + 2]
        let last =
          (output.shape[axis + 2] - 1) * problem.strides[axis] - padding
          + (taps - 1) * problem.dilations[axis]
        axes.append(
          ContractionWindow.Axis(
            extent: extent, taps: taps, step: problem.strides[axis],
            dilation: problem.dilations[axis], padding: padding,
            isPadded: padding > 0 || last >= extent))
      }
      a = ContractionOperand(
        argument: .input(0), offset: x.offset, batchStrides: [],
        lines: ([0] + Array(2..<x.rank)).map { PackedAxis(x.shape[$0], stride: x.strides[$0]) },
        channels: PackedAxis(x.shape[1], stride: x.strides[1]))
      b = ContractionOperand(
        argument: .input(1), offset: weights.offset, batchStrides: [],
        lines: [PackedAxis(weights.shape[0], stride: weights.strides[0])],
        taps: (2..<x.rank).map { PackedAxis(weights.shape[$0], stride: weights.strides[$0]) },
        channels: PackedAxis(weights.shape[1], stride: weights.strides[1]))
      let isPlain = axes.allSatisfy { $0.taps == 1 && !$0.isPadded && $0.padding == 0 }
      self.window = isPlain ? nil : ContractionWindow(axes: axes)
      guard isPlain else { return }
      b.taps = []
      for (index, axis) in axes.enumerated() {
        a.lines[index + 1] = PackedAxis(
          output.shape[index + 2], stride: a.lines[index + 1].stride * axis.step)
      }
    }

    static func matmul(
      _ problem: MatrixProduct, _ a: View, _ b: View, _ output: View
    ) -> (Parts, OutputAxes) {
      let rank = output.rank
      let batchAxes = Array(0..<rank - 2).filter { output.shape[$0] != 1 }
      func place(_ view: View, transposed: Bool) -> (batch: [Int], line: Int, depth: Int) {
        let inner = transposed ? (view.rank - 2, view.rank - 1) : (view.rank - 1, view.rank - 2)
        let added = rank - view.rank
        let batch = (0..<rank - 2).map { axis in
          axis < added || view.shape[axis - added] == 1 ? 0 : view.strides[axis - added]
        }
        return (batch, inner.1, inner.0)
      }
      let x = place(a, transposed: problem.transposesA)
      let y = place(b, transposed: !problem.transposesB)
      // Batch axes that b repeats are rows, unless rows are what lies side by side in a.
      let isDeep = a.isContiguous(along: x.depth) || !a.isContiguous(along: x.line)
      let merged = batchAxes.filter { isDeep && y.batch[$0] == 0 }
      let kept = batchAxes.filter { !merged.contains($0) }
      // Rows as they lie in a, so that they are one axis where they can be.
      let strides = merged.map { x.batch[$0] } + [a.strides[x.line]]
      var rows = zip(merged + [rank - 2], strides).map { (axis: $0, stride: $1) }
      if strides.allSatisfy({ $0 > 0 }) {
        rows = rows.enumerated().sorted {
          ($1.element.stride, $0.offset) < ($0.element.stride, $1.offset)
        }
        .map(\.element)
      }
      let axes = OutputAxes(batch: kept, rows: rows.map(\.axis), column: rank - 1)
      let operandA = ContractionOperand(
        argument: .input(0), offset: a.offset, batchStrides: kept.map { x.batch[$0] },
        lines: rows.map { PackedAxis(output.shape[$0.axis], stride: $0.stride) },
        channels: PackedAxis(a.shape[x.depth], stride: a.strides[x.depth]))
      let operandB = ContractionOperand(
        argument: .input(1), offset: b.offset, batchStrides: kept.map { y.batch[$0] },
        lines: [PackedAxis(b.shape[y.line], stride: b.strides[y.line])],
        channels: PackedAxis(b.shape[y.depth], stride: b.strides[y.depth]))
      return (Parts(window: nil, a: operandA, b: operandB), axes)
    }
  }
}
