import KernelModel
import ProgramModel
import TensorModel

/// The operands of a recurrence step.
struct RecurrenceShape {
  let problem: Recurrence
  let x, w, r: View
  let bias, lengths, initialHidden, initialCell, peepholes: View?
  let all, lastHidden: View
  let lastCell: View?
  let steps, batch, inputSize, size, gates, directions: Int

  init?(_ step: Step) {
    func input(_ index: Int) -> View? {
      step.inputs.indices.contains(index) ? step.inputs[index] : nil
    }
    guard case .recurrence(let problem) = step.problem, let x = input(0), let w = input(1),
      let r = input(2), step.outputs.count >= 2
    else { return nil }
    self.problem = problem
    self.x = x
    self.w = w
    self.r = r
    bias = input(3)
    lengths = input(4)
    initialHidden = input(5)
    initialCell = input(6)
    peepholes = input(7)
    all = step.outputs[0]
    lastHidden = step.outputs[1]
    lastCell = step.outputs.count > 2 ? step.outputs[2] : nil
    steps = x.shape[0]
    batch = x.shape[1]
    inputSize = x.shape[2]
    size = problem.hiddenSize
    gates = problem.gateCount
    directions = problem.directionCount
  }

  var isEmpty: Bool { batch == 0 }
  /// Rows of the weights of a direction.
  var rows: Int { gates * size }
  var isDouble: Bool { x.dataType == .float64 }
  /// The type that states are kept in.
  var real: String { isDouble ? "double" : "float" }
  var realBytes: Int { isDouble ? 8 : 4 }
  var isLSTM: Bool { problem.cell == .lstm }
  /// GRU: whether the candidate needs the hidden state of all units times their reset gates.
  var resetsBefore: Bool { problem.cell == .gru && !problem.resetsAfterLinear }
  /// GRU: whether the candidate's recurrent term has its bias added before the reset gate multiplies.
  var resetsAfter: Bool { problem.cell == .gru && problem.resetsAfterLinear }

  /// Bytes of what the input adds to every gate: `[D, T, B, rows]`.
  var projectedBytes: Int {
    ceilingQuotient(directions * steps * batch * rows * realBytes, 256) * 256
  }

  /// Optional operands that the kernels of the time loop read.
  private var operands: [(name: String, input: Int, view: View)] {
    let all: [(String, Int, View?)] = [
      ("bias", 3, resetsAfter ? bias : nil), ("lengths", 4, lengths),
      ("initial_hidden", 5, initialHidden), ("initial_cell", 6, isLSTM ? initialCell : nil),
      ("peepholes", 7, isLSTM ? peepholes : nil),
    ]
    return all.compactMap { name, input, view in view.map { (name, input, $0) } }
  }

  var loopParameters: [String] {
    operands.map { "const \($0.view.dataType.cudaStorage ?? "float")* __restrict__ \($0.name)" }
      + ["\(storage)* __restrict__ all", "\(storage)* __restrict__ last_hidden"]
      + (lastCell == nil ? [] : ["\(storage)* __restrict__ last_cell"])
  }

  var loopArguments: [KernelLaunch.Argument] {
    operands.map { .input($0.input) } + [.output(0), .output(1)]
      + (lastCell == nil ? [] : [.output(2)])
  }

  private var storage: String { x.dataType.cudaStorage ?? "float" }

  // MARK: - Texts

  /// An element of an optional operand of `[D, B, H]`, or zero.
  func initial(_ view: View?, _ name: String) -> String {
    guard let view else { return "0" }
    return "(\(real))load(\(name)[\(place(view, ["d", "b", "u"]))])"
  }

  func place(_ view: View, _ coordinates: [String]) -> String {
    IndexText.sum(Array(zip(coordinates, view.strides)).map { ($0, $1) })
  }

  func store(_ name: String, _ view: View, _ coordinates: [String], _ value: String) -> String {
    "\(name)[\(place(view, coordinates))] = store<\(storage)>(\(value));"
  }

  /// Statements that declare `is_active`, whether the sequence `b` has the step `step`, and `t`, the time
  /// that the step is about.
  var time: [String] {
    let reversed: String? =
      switch problem.direction {
      case .forward: nil
      case .reverse: "true"
      case .bidirectional: "d == 1"
      }
    var lines: [String] = []
    if let lengths {
      let value = "(int64_t)load(lengths[\(IndexText.sum([("b", lengths.strides[0])]))])"
      lines += [
        "const int64_t wanted = \(value);",
        "const int length = wanted < 0 ? 0 : wanted > \(steps) ? \(steps) : (int)wanted;",
      ]
    } else {
      lines.append("const int length = \(steps);")
    }
    lines.append("const bool is_active = step < length;")
    lines.append(
      reversed.map { "const int t = is_active && \($0) ? length - 1 - step : step;" }
        ?? "const int t = step;")
    return lines
  }

  /// The offset of what the input adds to the gates of `b` at `t`.
  var projectedPlace: String { "((d * \(steps) + t) * \(batch) + b) * \(rows)" }

  /// Functions for the activations: `activate0(d, x)`, ...
  func activations() throws(CUDASourceError) -> String {
    let count = problem.activations.count / directions
    var text = KernelText()
    for (index, expression) in problem.activations.enumerated() {
      let rendered = try expression.cudaText(operands: [OperandText("x", x.dataType)])
      text.block("DEVICE \(real) activation\(index)(\(real) x)") {
        $0.lines(rendered.statements)
        $0.line("return \(rendered.value);")
      }
    }
    for index in 0..<count {
      let isSame =
        directions == 1 || problem.activations[index] == problem.activations[index + count]
      let choice =
        isSame
        ? "activation\(index)(x)"
        : "d == 0 ? activation\(index)(x) : activation\(index + count)(x)"
      text.line("DEVICE \(real) activate\(index)(int d, \(real) x) { return \(choice); }")
    }
    return text.text
  }

  /// A gate's activation of a sum of terms.
  func activate(_ index: Int, _ sum: String) -> String {
    guard problem.clip > 0 else { return "activate\(index)(d, \(sum))" }
    let type: DataType = isDouble ? .float64 : .float32
    let suffix = isDouble ? "" : "f"
    let (low, high) = (type.cudaLiteral(-problem.clip), type.cudaLiteral(problem.clip))
    return "activate\(index)(d, fmin\(suffix)(fmax\(suffix)(\(sum), \(low)), \(high)))"
  }

  private func peephole(_ index: Int, _ state: String) -> String {
    guard let peepholes else { return "" }
    let place = self.place(peepholes, ["d", "(u + \(index * size))"])
    return " + (\(real))load(peepholes[\(place)]) * \(state)"
  }

  /// Statements that declare the unit's next state, `next_hidden` and, for LSTM, `next_cell`.
  ///
  /// They read `hidden`, `cell`, and arrays of the gates' terms, `given` of the input and `recurrent`.
  var cell: [String] {
    func gate(_ index: Int) -> String { "given[\(index)] + recurrent[\(index)]" }
    switch problem.cell {
    case .rnn: return ["const \(real) next_hidden = \(activate(0, gate(0)));"]
    case .gru:
      let term = problem.resetsAfterLinear ? "reset * recurrent[2]" : "recurrent[2]"
      let reset = "const \(real) reset = \(activate(0, gate(1)));"
      return (problem.resetsAfterLinear ? [reset] : []) + [
        "const \(real) update = \(activate(0, gate(0)));",
        "const \(real) candidate = \(activate(1, "given[2] + \(term)"));",
        "const \(real) next_hidden = (1 - update) * candidate + update * hidden;",
      ]
    case .lstm:
      let forget =
        problem.couplesInputAndForget
        ? "1 - enter" : activate(0, gate(2) + peephole(2, "cell"))
      return [
        "const \(real) enter = \(activate(0, gate(0) + peephole(0, "cell")));",
        "const \(real) forget = \(forget);",
        "const \(real) candidate = \(activate(1, gate(3)));",
        "const \(real) next_cell = forget * cell + enter * candidate;",
        "const \(real) leave = \(activate(0, gate(1) + peephole(1, "next_cell")));",
        "const \(real) next_hidden = leave * activate2(d, next_cell);",
      ]
    }
  }

  /// The bias of the candidate's recurrent term where the reset gate multiplies it too.
  var candidateBias: String {
    guard resetsAfter, let bias else { return "" }
    let place = self.place(bias, ["d", "(u + \((2 * gates - 1) * size))"])
    return " + (\(real))load(bias[\(place)])"
  }
}
