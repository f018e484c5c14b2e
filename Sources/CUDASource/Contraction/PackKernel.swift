import TensorModel

/// Copies an operand into lines of one length, padded with zeros, which tiles copy in vectors.
struct PackKernel {
  /// What becomes of the elements.
  enum Form {
    case plain
    /// Single precision as two bfloat16 in one word.
    case divided
    /// The same for matrix instructions that read 32 elements as 32 high parts and 32 low ones, or the middle ones between
    /// them, in the order of `DividedProducts`.
    case dividedLines(parts: Int)

    var isDivided: Bool { if case .plain = self { false } else { true } }
  }

  private static let threads = 256

  let type: DataType
  let outer: [PackedAxis]
  let inner: [PackedAxis]
  /// Elements of a line.
  var innerLength: Int
  var form = Form.plain

  init(_ type: DataType, outer: [PackedAxis], inner: [PackedAxis]) {
    self.type = type
    self.outer = outer
    self.inner = inner
    innerLength = inner.reduce(1) { $0 * $1.padded }
  }

  private var lineCount: Int { outer.reduce(1) { $0 * $1.padded } }
  private var vector: Int {
    ContractionOperand.vector(type.byteCount, dividing: [innerLength])
  }
  private var pieces: Int { innerLength / vector }

  /// Adds the launch to a plan and points the operand at its result.
  ///
  /// - Returns: the strides of the outer axes in the result.
  func schedule(
    _ operand: inout ContractionOperand, in plan: inout StepPlan
  ) throws(CUDASourceError) -> [Int] {
    let elements = Double(lineCount) * Double(innerLength)
    guard elements < 0x1p31 else { throw CUDASourceError("the repacked operand is too large") }
    let bytes = lineCount * innerLength * type.byteCount
    let target: KernelLaunch.Argument
    if operand.isConstant {
      plan.prepared.append(bytes)
      target = .prepared(plan.prepared.count - 1)
    } else {
      target = .workspace(plan.reserve(bytes))
    }
    if lineCount * pieces > 0 {
      let launch = KernelLaunch(
        source, grid: GridSize(ceilingQuotient(lineCount * pieces, Self.threads)),
        threads: Self.threads, arguments: [operand.argument, target])
      if operand.isConstant {
        plan.preparation.append(launch)
      } else {
        plan.launches.append(launch)
      }
    }
    operand.argument = target
    operand.offset = 0
    operand.isDivided = form.isDivided
    var strides: [Int] = []
    var stride = innerLength
    for axis in outer.reversed() {
      strides.insert(stride, at: 0)
      stride *= axis.padded
    }
    return strides
  }

  private var source: KernelSource {
    let storage = type.cudaStorage ?? "float"
    var text = KernelText()
    text.block(
      "KERNEL(\(Self.threads)) pack(const \(storage)* __restrict__ x, \(storage)* __restrict__ y)"
    ) { text in
      text.line("const int number = blockIdx.x * \(Self.threads) + threadIdx.x;")
      text.line("if (number >= \(lineCount * pieces)) return;")
      // Neighbouring threads read neighbouring elements.
      if inner.last?.stride == 1 {
        text.line("const int line = number / \(pieces), piece = number % \(pieces);")
      } else {
        text.line("const int line = number % \(lineCount), piece = number / \(lineCount);")
      }
      text.lines(AxisText.coordinates(outer.map(\.padded), of: "line", prefix: "o"))
      text.line("const int base = \(Self.offset(outer, "o"));")
      text.line("const bool inside = \(Self.condition(outer, "o"));")
      text.block("auto element = [&](int deep) -> \(storage)", end: "};") { text in
        text.lines(AxisText.coordinates(inner.map(\.padded), of: "deep", prefix: "i"))
        let length = inner.reduce(1) { $0 * $1.padded }
        let tail = length < innerLength ? " && deep < \(length)" : ""
        text.line("const bool wanted = inside && \(Self.condition(inner, "i"))\(tail);")
        let element = "x[base + \(Self.offset(inner, "i"))]"
        text.line("return wanted ? \(element) : store<\(storage)>(0.0f);")
      }
      text.line("Vector<\(storage), \(vector)> result;")
      text.line("#pragma unroll")
      text.line(
        "for (int j = 0; j < \(vector); j++) result.at[j] = \(value("piece * \(vector) + j"));")
      text.line("store_vector(y + line * \(innerLength) + piece * \(vector), result);")
    }
    return KernelSource(entry: "pack", body: text.text)
  }

  private func value(_ place: String) -> String {
    switch form {
    case .plain: "element(\(place))"
    case .divided: "divided_float(element(\(place)))"
    case .dividedLines(let parts): DividedProducts.word(at: place, of: "element", parts)
    }
  }

  private static func offset(_ axes: [PackedAxis], _ prefix: String) -> String {
    IndexText.sum(axes.enumerated().map { (text: "\(prefix)\($0.offset)", $0.element.stride) })
  }

  private static func condition(_ axes: [PackedAxis], _ prefix: String) -> String {
    let parts = axes.enumerated().filter { $0.element.padded > $0.element.extent }
      .map { "\(prefix)\($0.offset) < \($0.element.extent)" }
    return parts.isEmpty ? "true" : parts.joined(separator: " && ")
  }
}

/// Coordinates as text.
enum AxisText {
  /// Statements that turn a number into a coordinate along each axis, which are not merged.
  static func coordinates(_ extents: [Int], of number: String, prefix: String) -> [String] {
    var lines: [String] = []
    var rest = number
    for axis in extents.indices.reversed() {
      let name = "\(prefix)\(axis)"
      if extents[axis] <= 1 {
        lines.append("const int \(name) = 0;")
      } else if extents[..<axis].allSatisfy({ $0 <= 1 }) {
        lines.append("const int \(name) = \(rest);")
      } else {
        lines.append("const int \(name) = \(rest) % \(extents[axis]);")
        lines.append("const int \(prefix)r\(axis) = \(rest) / \(extents[axis]);")
        rest = "\(prefix)r\(axis)"
      }
    }
    return lines
  }
}
