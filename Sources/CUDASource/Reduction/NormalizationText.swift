/// The text of kernels that normalise groups, for one assignment of elements to threads.
struct NormalizationText: Sendable {
  /// Which threads share a group.
  enum Arrangement: Hashable, Sendable {
    /// `lanes` neighbours.
    case rows
    /// Threads of one column; as many columns as said lie side by side.
    case columns(Int)
  }

  let step: NormalizationStep
  let arrangement: Arrangement
  /// Threads that share a group.
  let lanes: Int
  /// Threads of a block.
  let threads: Int
  /// Neighbours that a thread handles together.
  let width: Int
  /// Whether threads keep their elements in registers.
  let isResident: Bool
  /// Blocks that share a group; more than one only where one group fills a block.
  var parts = 1

  /// Runs of `width` elements of a group.
  private var units: Int { step.groupSize / width }
  private var perPart: Int { ceilingQuotient(units, parts) }
  /// Runs that a thread keeps.
  private var residents: Int { ceilingQuotient(perPart, lanes) }
  /// Groups of a block.
  var groupsOfBlock: Int { threads / lanes }
  private var blockIsFull: Bool { step.groupCount % groupsOfBlock == 0 }
  private var isExact: Bool { blockIsFull && units % (parts * lanes) == 0 }
  private var real: String { step.real }

  private var space: IndexSpace {
    width > 1 ? step.axes.group.divided(by: width) : step.axes.group
  }

  // MARK: - Kernels

  /// One kernel that does it all.
  func wholeKernel() throws(CUDASourceError) -> String {
    var text = KernelText()
    text.lines(exchange.definitions(needsMost: needsMost))
    try text.block("KERNEL(\(threads)) normalize(\(step.parameters))") {
      text throws(CUDASourceError) in
      writePlace(&text)
      writeLoads(&text, keepsOperands: keepsOperands)
      writeStatistics(&text)
      try writeResults(&text, hasExponentials: isResident)
    }
    return text.text
  }

  /// Stores the statistics of parts of groups.
  func measureKernel() -> String {
    var text = KernelText()
    text.lines(exchange.definitions(needsMost: needsMost))
    text.block("KERNEL(\(threads)) measure(\(step.x.parameter), \(real)* __restrict__ found)") {
      text in
      writePlace(&text)
      writeLoads(&text, keepsOperands: false)
      writePartStatistics(&text)
      text.block("if (lane == 0)") { text in
        for (plane, name) in partStatistics.enumerated() {
          let first = plane * step.groupCount * parts
          text.line("found[\(first) + row * \(parts) + blockIdx.y] = \(name);")
        }
      }
    }
    return text.text
  }

  /// Normalises with the statistics of all parts.
  func applyKernel() throws(CUDASourceError) -> String {
    var text = KernelText()
    let warp = GroupExchange(arrangement: .rows, lanes: 32, real: real)
    text.lines(warp.definitions(needsMost: needsMost))
    let parameters = "\(step.parameters), const \(real)* __restrict__ found"
    try text.block("KERNEL(\(threads)) normalize(\(parameters))") { text throws(CUDASourceError) in
      writePlace(&text)
      writeLoads(&text, keepsOperands: keepsOperands)
      writeMergedStatistics(&text)
      try writeResults(&text, hasExponentials: false)
    }
    return text.text
  }

  /// Numbers that describe a part of a group.
  var partStatistics: [String] {
    switch step.statistics {
    case .exponentials: ["most", "sum"]
    case .moments: ["mean", "squares"]
    case .squares: ["squares"]
    }
  }

  private var exchange: GroupExchange {
    GroupExchange(arrangement: arrangement, lanes: lanes, real: real)
  }

  private var needsMost: Bool {
    if case .exponentials = step.statistics { true } else { false }
  }

  // MARK: - Places

  private func writePlace(_ text: inout KernelText) {
    switch arrangement {
    case .rows:
      text.line("const int lane = threadIdx.x % \(lanes);")
      text.line("const int row = blockIdx.x * \(groupsOfBlock) + threadIdx.x / \(lanes);")
    case .columns(let columns):
      text.line("const int lane = threadIdx.x / \(columns);")
      text.line("const int row = blockIdx.x * \(columns) + threadIdx.x % \(columns);")
    }
    text.lines(step.axes.kept.coordinates(of: "row", prefix: "k"))
    for view in 0..<2 + step.others.count {
      text.line("const int base\(view) = \(step.axes.kept.offset(view: view, prefix: "k"));")
    }
    var (first, end) = ("0", "\(units)")
    if parts > 1 {
      first = "blockIdx.y * \(perPart)"
      end = "min(first + \(perPart), \(units))"
    }
    text.line("const int first = \(first);")
    text.line("const int end = \(blockIsFull ? end : "row < \(step.groupCount) ? \(end) : 0");")
  }

  private func offset(_ view: Int) -> String {
    "base\(view) + \(space.offset(view: view, prefix: "g"))"
  }

  private var access: ElementAccess {
    ElementAccess(step.x, width: width, stride: 1, vectorWidth: width)
  }

  /// Whether scale, bias and residuals wait in registers, too.
  private var keepsOperands: Bool {
    let accesses = step.result(width: width).operands.map(\.access)
    return isResident && threads <= 512 && !accesses.isEmpty
      && accesses.allSatisfy { $0.variableType != nil }
      && accesses.reduce(0) { $0 + $1.bytesInRegisters } * residents <= 128
  }

  /// Reads the elements of a thread, where it keeps them.
  private func writeLoads(_ text: inout KernelText, keepsOperands: Bool) {
    guard isResident else { return }
    text.line("\(real) v[\(residents)][\(width)];")
    let operands = keepsOperands ? step.result(width: width).operands : []
    for operand in operands {
      text.line("\(operand.access.variableType ?? real) q\(operand.index)[\(residents)];")
    }
    text.line("#pragma unroll")
    text.block("for (int k = 0; k < \(residents); k++)") { text in
      text.line("const int i = first + k * \(lanes) + lane;")
      let body = { (text: inout KernelText) in
        text.lines(space.coordinates(of: "i", prefix: "g"))
        text.line(access.declaration("u", offset: offset(0)))
        text.neighbours(width) { $0.line("v[k][\(index)] = \(access.element("u"));") }
        for operand in operands {
          text.line("q\(operand.index)[k] = \(operand.access.load(offset(operand.view)));")
        }
      }
      if isExact { return body(&text) }
      text.block("if (i < end)", body)
      text.block("else") { text in
        text.neighbours(width) { $0.line("v[k][\(index)] = \(fill);") }
      }
    }
  }

  private var index: String { width == 1 ? "0" : "j" }

  /// What stands for elements that are not there.
  private var fill: String {
    if case .exponentials = step.statistics { "-\(infinity)" } else { "0" }
  }

  private var infinity: String { step.isDouble ? "INFINITY_D" : "INFINITY_F" }

  // MARK: - Statistics

  /// Statements for each element `e` of a thread; in registers it can be changed.
  ///
  /// - Parameter fillCounts: whether the statements do no harm to `fill`.
  private func each(_ text: inout KernelText, fillCounts: Bool, _ statements: [String]) {
    if isResident {
      text.line("#pragma unroll")
      let isGuarded = !fillCounts && !isExact
      let test = isGuarded ? "if (first + k * \(lanes) + lane < end)" : ""
      text.block("for (int k = 0; k < \(residents); k++)") { text in
        text.block(test) { text in
          text.neighbours(width) { text in
            text.line("\(real)& e = v[k][\(index)];")
            text.lines(statements)
          }
        }
      }
    } else {
      text.line("#pragma unroll \(width > 4 ? 2 : 4)")
      text.block("for (int i = first + lane; i < end; i += \(lanes))") { text in
        text.lines(space.coordinates(of: "i", prefix: "g"))
        text.line(access.declaration("u", offset: offset(0)))
        text.neighbours(width) { text in
          text.line("const \(real) e = \(access.element("u"));")
          text.lines(statements)
        }
      }
    }
  }

  private func writeStatistics(_ text: inout KernelText) {
    let size = step.literal(Double(step.groupSize))
    switch step.statistics {
    case .exponentials(let isLogarithm):
      text.line("\(real) most = -\(infinity), sum = 0;")
      each(&text, fillCounts: true, ["most = e > most ? e : most;"])
      text.line("most = group_most<0>(most);")
      let exponential = "exp\(step.suffix)(e - most)"
      each(
        &text, fillCounts: true,
        isResident && !isLogarithm
          ? ["e = \(exponential);", "sum += e;"] : ["sum += \(exponential);"])
      text.line("sum = group_sum<1>(sum);")
    case .moments:
      text.line("\(real) mean = 0, squares = 0;")
      each(&text, fillCounts: true, ["mean += e;"])
      text.line("mean = group_sum<0>(mean) / \(size);")
      each(&text, fillCounts: false, ["squares += (e - mean) * (e - mean);"])
      text.line("squares = group_sum<1>(squares);")
    case .squares:
      text.line("\(real) squares = 0;")
      each(&text, fillCounts: true, ["squares += e * e;"])
      text.line("squares = group_sum<0>(squares);")
    }
  }

  private func writePartStatistics(_ text: inout KernelText) {
    switch step.statistics {
    case .exponentials:
      text.line("\(real) most = -\(infinity), sum = 0;")
      each(&text, fillCounts: true, ["most = e > most ? e : most;"])
      text.line("most = group_most<0>(most);")
      // A part of nothing but -infinity adds nothing to the others.
      text.line("const \(real) shift = most == -\(infinity) ? 0 : most;")
      each(&text, fillCounts: true, ["sum += exp\(step.suffix)(e - shift);"])
      text.line("sum = group_sum<1>(sum);")
    case .moments:
      text.line("\(real) mean = 0, squares = 0;")
      each(&text, fillCounts: true, ["mean += e;"])
      text.line("mean = group_sum<0>(mean) / (\(real))((end - first) * \(width));")
      each(&text, fillCounts: false, ["squares += (e - mean) * (e - mean);"])
      text.line("squares = group_sum<1>(squares);")
    case .squares: writeStatistics(&text)
    }
  }

  private func writeMergedStatistics(_ text: inout KernelText) {
    let parts = self.parts
    func found(_ plane: Int) -> String {
      "found[\(plane * step.groupCount * parts) + row * \(parts) + p]"
    }
    func eachPart(_ text: inout KernelText, _ statements: [String]) {
      text.block("for (int p = lane_index(); p < \(parts); p += 32)") { $0.lines(statements) }
    }
    switch step.statistics {
    case .exponentials:
      text.line("\(real) most = -\(infinity), sum = 0;")
      eachPart(&text, ["const \(real) o = \(found(0));", "most = o > most ? o : most;"])
      text.line("most = group_most<0>(most);")
      eachPart(&text, ["sum += \(found(1)) * exp\(step.suffix)(\(found(0)) - most);"])
      text.line("sum = group_sum<1>(sum);")
    case .moments:
      let count =
        "const \(real) n = (min(\(perPart), \(units) - p * \(perPart))) * \(width);"
      text.line("\(real) mean = 0, squares = 0;")
      eachPart(&text, [count, "mean += n * \(found(0));"])
      text.line("mean = group_sum<0>(mean) / \(step.literal(Double(step.groupSize)));")
      eachPart(
        &text,
        [
          count, "const \(real) d = \(found(0)) - mean;", "squares += \(found(1)) + n * d * d;",
        ])
      text.line("squares = group_sum<1>(squares);")
    case .squares:
      text.line("\(real) squares = 0;")
      eachPart(&text, ["squares += \(found(0));"])
      text.line("squares = group_sum<1>(squares);")
    }
  }

  // MARK: - Results

  /// - Parameter hasExponentials: whether softmax has replaced elements by their exponentials.
  private func writeResults(
    _ text: inout KernelText, hasExponentials: Bool
  ) throws(CUDASourceError) {
    let size = step.literal(Double(step.groupSize))
    let root = "sqrt\(step.suffix)"
    var value = ""
    switch step.statistics {
    case .exponentials(isLogarithm: true):
      text.line("const \(real) logarithm = log\(step.suffix)(sum);")
      value = "e - most - logarithm"
    case .exponentials(isLogarithm: false):
      text.line("const \(real) factor = 1 / sum;")
      value = "\(hasExponentials ? "e" : "exp\(step.suffix)(e - most)") * factor"
    case .moments(let epsilon):
      text.line("const \(real) factor = 1 / \(root)(squares / \(size) + \(step.literal(epsilon)));")
      value = "(e - mean) * factor"
    case .squares(let epsilon):
      text.line("const \(real) factor = 1 / \(root)(squares / \(size) + \(step.literal(epsilon)));")
      value = "e * factor"
    }
    if isResident {
      text.line("#pragma unroll")
      try text.block("for (int k = 0; k < \(residents); k++)") { text throws(CUDASourceError) in
        text.line("const int i = first + k * \(lanes) + lane;")
        try text.block(isExact ? "" : "if (i < end)") { text throws(CUDASourceError) in
          try writeUnit(&text, value)
        }
      }
    } else {
      text.line("#pragma unroll 2")
      try text.block("for (int i = first + lane; i < end; i += \(lanes))") {
        text throws(CUDASourceError) in
        try writeUnit(&text, value)
      }
    }
  }

  private func writeUnit(_ text: inout KernelText, _ value: String) throws(CUDASourceError) {
    let result = step.result(width: width)
    text.lines(space.coordinates(of: "i", prefix: "g"))
    if !isResident { text.line(access.declaration("u", offset: offset(0))) }
    let keeps = keepsOperands
    if !keeps { text.lines(result.loads(offset)) }
    try result.store(
      &text, offset: offset, variable: { keeps ? "q\($0.index)[k]" : "o\($0.index)" }
    ) { text in
      text.line(
        "const \(real) e = \(isResident ? "v[k][\(index)]" : access.element("u"));")
      text.line("const \(real) value = \(value);")
      return "value"
    }
  }
}
