import KernelModel
import TensorModel

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

extension Interpreter {
  static func window(
    _ problem: Window, _ inputs: Operands, _ outputs: [Output]
  ) throws(ProblemError) -> [Tensor] {
    let x = try inputs[required: 0]
    let loops = PoolingLoops(
      windows: SlidingWindows(
        windows: Array(outputs[0].shape.dropFirst(2)), elements: Array(x.shape.dropFirst(2)),
        kernel: try moderate(problem.kernel), strides: try moderate(problem.strides),
        dilations: try moderate(problem.dilations), pads: try constants(problem.padsBefore)),
      padsAfter: try constants(problem.padsAfter), planes: x.shape[0] * x.shape[1])
    var tensors: [Tensor] = []
    let values: Numbers
    if problem.function == .maximum {
      let (maxima, positions) = try maximum(x, loops)
      values = maxima
      if outputs.count > 1 {
        let indices =
          problem.indices == .columnMajor ? positions.map(loops.columnMajor) : positions
        tensors.append(try Numbers.integer(indices.map { Int64($0) }).tensor(outputs[1]))
      }
    } else {
      values = .of(loops.combine(try x.doubles(), problem.function), as: x.dataType)
      if outputs.count > 1 {
        throw ProblemError("positions of \(problem.function), which has none")
      }
    }
    let result = try finish(values, x.dataType, problem.epilogue, inputs, own: 1, outputs[0])
    return [result] + tensors
  }

  private static func maximum(
    _ x: Tensor, _ loops: PoolingLoops
  ) throws(ProblemError) -> (Numbers, positions: [Int]) {
    switch try Numbers(x) {
    case .floating(let values):
      let (maxima, positions) = loops.maximum(values, lowest: -.infinity) {
        $0 > $1 || $0.isNaN && !$1.isNaN
      }
      return (.floating(maxima), positions)
    case .integer(let values):
      let order = x.dataType.orderMask
      let lowest = x.dataType.integerRange?.lowerBound ?? 0
      let (maxima, positions) = loops.maximum(values, lowest: lowest) { $0 ^ order > $1 ^ order }
      return (.integer(maxima), positions)
    }
  }
}

private struct PoolingLoops {
  var windows: SlidingWindows
  var padsAfter: [Int]
  /// Batch times channels.
  var planes: Int

  private var elementCount: Int { windows.elements.reduce(1, *) }
  private var windowCount: Int { windows.windows.reduce(1, *) }

  /// Calls `body` with every window and the offsets of its elements inside a plane.
  private func forEachWindow(_ body: (_ window: Int, _ offsets: [Int]) -> Void) {
    let strides = ShapeMath.rowMajorStrides(windows.elements)
    for (index, window) in Coordinates(windows.windows).enumerated() {
      var offsets = [0]
      for axis in window.indices {
        let start = window[axis] * windows.strides[axis] - windows.pads[axis]
        let taps = windows.tapRange(axis, window: window[axis])
        let positions = taps.map { (start + $0 * windows.dilations[axis]) * strides[axis] }
        offsets = offsets.flatMap { offset in positions.map { offset + $0 } }
      }
      body(index, offsets)
    }
  }

  /// The largest element of each window, the first of equal ones, and its position in x; NaN is larger than
  /// any number.
  func maximum<Value: BitwiseCopyable>(
    _ x: [Value], lowest: Value, _ isAbove: (Value, Value) -> Bool
  ) -> ([Value], [Int]) {
    var maxima = [Value](repeating: lowest, count: planes * windowCount)
    var positions = [Int](repeating: 0, count: planes * windowCount)
    forEachWindow { window, offsets in
      for plane in 0..<planes {
        guard let first = offsets.first else { continue }
        let base = plane * elementCount
        var best = first
        for offset in offsets.dropFirst() where isAbove(x[base + offset], x[base + best]) {
          best = offset
        }
        maxima[plane * windowCount + window] = x[base + best]
        positions[plane * windowCount + window] = base + best
      }
    }
    return (maxima, positions)
  }

  func combine(_ x: [Double], _ function: Window.Function) -> [Double] {
    var result = [Double](repeating: 0, count: planes * windowCount)
    let sizes = paddedSizes()
    forEachWindow { window, offsets in
      for plane in 0..<planes {
        let base = plane * elementCount
        let target = plane * windowCount + window
        switch function {
        case .average(let countsPadding):
          let sum = offsets.reduce(0.0) { $0 + x[base + $1] }
          result[target] = sum / (countsPadding ? sizes[window] : Double(offsets.count))
        case .norm(let p):
          let sum = offsets.reduce(0.0) { $0 + pow(abs(x[base + $1]), Double(p)) }
          result[target] = pow(sum, 1 / Double(p))
        case .maximum: break
        }
      }
    }
    return result
  }

  /// The taps of each window inside x and its pads; a last window that is partial reaches beyond them.
  private func paddedSizes() -> [Double] {
    Coordinates(windows.windows).map { window in
      window.indices.reduce(1.0) { count, axis in
        let end = windows.elements[axis] + padsAfter[axis]
        let start = window[axis] * windows.strides[axis] - windows.pads[axis]
        let taps = ceilingDivide(max(end - start, 0), windows.dilations[axis])
        return count * Double(min(taps, windows.kernel[axis]))
      }
    }
  }

  /// A position with the spatial axes counted in reverse order.
  func columnMajor(_ position: Int) -> Int {
    var rest = position % elementCount
    var result = 0
    var coordinates: [Int] = []
    for extent in windows.elements.reversed() {
      coordinates.append(rest % extent)
      rest /= extent
    }
    // Coordinates begin with the last axis, which is now the slowest.
    for (coordinate, extent) in zip(coordinates, windows.elements.reversed()) {
      result = result * extent + coordinate
    }
    return position / elementCount * elementCount + result
  }
}
