import KernelModel
import TensorModel

extension Interpreter {
  static func recurrence(
    _ problem: Recurrence, _ inputs: Operands, _ outputs: [Output]
  ) throws(ProblemError) -> [Tensor] {
    var loops = try RecurrenceLoops(problem, inputs)
    for direction in 0..<problem.directionCount { loops.run(direction) }
    var tensors = [
      try Numbers.floating(loops.all).tensor(outputs[0]),
      try Numbers.floating(loops.hidden).tensor(outputs[1]),
    ]
    if outputs.count > 2 { tensors.append(try Numbers.floating(loops.cell).tensor(outputs[2])) }
    return tensors
  }
}

private struct RecurrenceLoops {
  private let problem: Recurrence
  private let steps, batch, inputSize, size, gates: Int
  private let x: [Double]
  private let w: [Double]
  private let r: [Double]
  /// `[D, 2*G*H]`: of w, then of r.
  private let bias: [Double]
  private let lengths: [Int]
  private let peepholes: [Double]
  private let activations: [Activation]
  /// Results and states, `[T, D, B, H]` and `[D, B, H]`.
  private(set) var all: [Double]
  private(set) var hidden: [Double]
  private(set) var cell: [Double]

  init(_ problem: Recurrence, _ inputs: Operands) throws(ProblemError) {
    let x = try inputs[required: 0]
    guard x.dataType.isFloatingPoint else {
      throw ProblemError("a recurrent layer of \(x.dataType), which is not floating point")
    }
    self.problem = problem
    (steps, batch, inputSize) = (x.shape[0], x.shape[1], x.shape[2])
    size = problem.hiddenSize
    gates = problem.gateCount
    let directions = problem.directionCount
    func numbers(_ index: Int, count: Int) throws(ProblemError) -> [Double] {
      try inputs[index]?.doubles() ?? [Double](repeating: 0, count: count)
    }
    self.x = try x.doubles()
    w = try inputs[required: 1].doubles()
    r = try inputs[required: 2].doubles()
    bias = try numbers(3, count: directions * 2 * gates * size)
    let steps = steps
    lengths =
      try inputs[4]?.wideIntegers().map { Int(min(max($0, 0), Int64(steps))) }
      ?? [Int](repeating: steps, count: batch)
    hidden = try numbers(5, count: directions * batch * size)
    cell = try numbers(6, count: directions * batch * size)
    peepholes = try numbers(7, count: directions * 3 * size)
    all = [Double](repeating: 0, count: steps * directions * batch * size)
    var activations: [Activation] = []
    for expression in problem.activations {
      activations.append(try Activation(expression, x.dataType, size: size))
    }
    self.activations = activations
  }

  /// Every sequence in one direction; steps beyond its length are left zero.
  mutating func run(_ direction: Int) {
    let isReverse = problem.direction == .reverse || direction == 1
    for b in 0..<batch {
      let state = (direction * batch + b) * size
      var h = Array(hidden[state..<state + size])
      var c = Array(cell[state..<state + size])
      for step in 0..<lengths[b] {
        let t = isReverse ? lengths[b] - 1 - step : step
        advance(direction, input: (t * batch + b) * inputSize, &h, &c)
        let target = ((t * problem.directionCount + direction) * batch + b) * size
        all.replaceSubrange(target..<target + size, with: h)
      }
      hidden.replaceSubrange(state..<state + size, with: h)
      cell.replaceSubrange(state..<state + size, with: c)
    }
  }

  private func advance(_ direction: Int, input: Int, _ h: inout [Double], _ c: inout [Double]) {
    switch problem.cell {
    case .rnn:
      h = activation(direction, 0, linear(direction, 0, input) + recurrent(direction, 0, h))
    case .gru: h = gatedUnit(direction, input, h)
    case .lstm: longShortTerm(direction, input, &h, &c)
    }
  }

  private func gatedUnit(_ direction: Int, _ input: Int, _ h: [Double]) -> [Double] {
    let z = activation(direction, 0, linear(direction, 0, input) + recurrent(direction, 0, h))
    let reset = activation(direction, 0, linear(direction, 1, input) + recurrent(direction, 1, h))
    let term =
      problem.resetsAfterLinear
      ? multiply(reset, recurrent(direction, 2, h).values)
      : recurrent(direction, 2, multiply(reset, h)).values
    let candidate = activation(direction, 1, linear(direction, 2, input) + Terms(values: term))
    return h.indices.map { (1 - z[$0]) * candidate[$0] + z[$0] * h[$0] }
  }

  private func longShortTerm(
    _ direction: Int, _ input: Int, _ h: inout [Double], _ c: inout [Double]
  ) {
    func gate(_ index: Int) -> Terms {
      linear(direction, index, input) + recurrent(direction, index, h)
    }
    func peephole(_ index: Int, _ state: [Double]) -> Terms {
      let start = (direction * 3 + index) * size
      return Terms(values: multiply(Array(peepholes[start..<start + size]), state))
    }
    let i = activation(direction, 0, gate(0) + peephole(0, c))
    let f =
      problem.couplesInputAndForget
      ? i.map { 1 - $0 } : activation(direction, 0, gate(2) + peephole(2, c))
    let candidate = activation(direction, 1, gate(3))
    let next = c.indices.map { f[$0] * c[$0] + i[$0] * candidate[$0] }
    let o = activation(direction, 0, gate(1) + peephole(1, next))
    let shown = activations[direction * 3 + 2](next)
    c = next
    h = multiply(o, shown)
  }

  // MARK: - Parts

  /// Values of the units of one gate.
  private struct Terms {
    var values: [Double]
    static func + (a: Terms, b: Terms) -> Terms {
      Terms(values: zip(a.values, b.values).map { $0 + $1 })
    }
  }

  private func multiply(_ a: [Double], _ b: [Double]) -> [Double] { zip(a, b).map { $0 * $1 } }

  /// x times the gate's part of w, plus its bias.
  private func linear(_ direction: Int, _ gate: Int, _ input: Int) -> Terms {
    Terms(
      values: (0..<size).map { unit in
        let row = (direction * gates + gate) * size + unit
        var sum = bias[(direction * 2 * gates + gate) * size + unit]
        for k in 0..<inputSize { sum += x[input + k] * w[row * inputSize + k] }
        return sum
      })
  }

  /// h times the gate's part of r, plus its bias.
  private func recurrent(_ direction: Int, _ gate: Int, _ h: [Double]) -> Terms {
    Terms(
      values: (0..<size).map { unit in
        let row = (direction * gates + gate) * size + unit
        var sum = bias[(direction * 2 * gates + gates + gate) * size + unit]
        for k in 0..<size { sum += h[k] * r[row * size + k] }
        return sum
      })
  }

  private func activation(_ direction: Int, _ index: Int, _ terms: Terms) -> [Double] {
    let clip = problem.clip
    let values = clip > 0 ? terms.values.map { min(max($0, -clip), clip) } : terms.values
    return activations[direction * (activations.count / problem.directionCount) + index](values)
  }
}

/// A function of one operand, for the values of one gate at a time.
private final class Activation {
  private let evaluator: ExpressionEvaluator
  private let scratch: UnsafeMutableBufferPointer<Double>

  init(_ expression: ScalarExpression, _ type: DataType, size: Int) throws(ProblemError) {
    scratch = .allocate(capacity: size)
    scratch.initialize(repeating: 0)
    guard let base = scratch.baseAddress else {
      throw ProblemError("a recurrent layer without units")
    }
    evaluator = try ExpressionEvaluator(
      expression, [.intermediate(UnsafeRawPointer(base), type)], shape: [size])
    guard evaluator.resultType.isFloatingPoint else {
      throw ProblemError("the activation \(expression) is \(evaluator.resultType)")
    }
  }

  deinit { scratch.deallocate() }

  func callAsFunction(_ values: [Double]) -> [Double] {
    _ = scratch.update(fromContentsOf: values)
    var result: [Double] = []
    for start in stride(from: 0, to: values.count, by: ExpressionEvaluator.blockLength) {
      let count = min(ExpressionEvaluator.blockLength, values.count - start)
      let block = evaluator.evaluate(start: start, count: count)
        .assumingMemoryBound(to: Double.self)
      result += UnsafeBufferPointer(start: block, count: count)
    }
    return result
  }
}
