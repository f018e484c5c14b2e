import TensorModel

/// How tiles of an operand come from global memory.
struct ContractionFeed: Hashable, Sendable {
  /// Whether neighbours along the depth or along the lines lie side by side.
  enum Major: Hashable, Sendable { case depth, line }

  var major: Major
  /// Elements copied at once.
  var vector: Int
}

extension ContractionOperand {
  /// How the operand can be copied from where it lies, in pieces of at least four bytes; nil where
  /// it cannot.
  func feed(_ type: DataType, _ window: ContractionWindow?) -> ContractionFeed? {
    let size = type.byteCount
    let depth = isContiguous(channels) ? deepVector(size, window) : 0
    // Matrices are transposed on their way from shared memory by 16-bit elements and larger ones only.
    let line =
      size > 1 && window == nil && taps.isEmpty && lines.count == 1 && isContiguous(lines[0])
      ? lineVector(size) : 0
    guard max(depth, line) * size >= 4 else { return nil }
    return depth >= line
      ? ContractionFeed(major: .depth, vector: depth) : ContractionFeed(major: .line, vector: line)
  }

  private func isContiguous(_ axis: PackedAxis) -> Bool { axis.padded == 1 || axis.stride == 1 }

  private func deepVector(_ size: Int, _ window: ContractionWindow?) -> Int {
    var strides = zip(lines, rowStrides(window)).filter { $0.0.padded > 1 }.map(\.1)
    strides += zip(lines.dropFirst(), tapStrides(window)).filter { $0.0.padded > 1 }.map(\.1)
    strides += taps.filter { $0.padded > 1 }.map(\.stride) + batchStrides
    strides += [origin(window), offset, channels.padded]
    return Self.vector(size, dividing: strides)
  }

  private func lineVector(_ size: Int) -> Int {
    let deep = channels.padded > 1 ? [channels.stride] : []
    return Self.vector(size, dividing: deep + batchStrides + [offset, lines[0].padded])
  }

  /// The most elements of one copy of up to 16 bytes that divide all of the numbers.
  static func vector(_ size: Int, dividing numbers: [Int]) -> Int {
    var vector = max(16 / size, 1)
    while vector > 1, numbers.contains(where: { $0 % vector != 0 }) { vector /= 2 }
    return vector
  }
}

/// A contraction whose operands can be copied in vectors, and what has to happen before.
struct FedContraction: Sendable {
  var contraction: Contraction
  var a: ContractionFeed
  var b: ContractionFeed
  /// The launches that repack operands, and the room that they need.
  var plan = StepPlan(launches: [])

  /// Repacks operands where their layout asks for it: constants once, others in every run.
  ///
  /// - Parameters:
  ///   - constants: how a constant b is to lie; nil where both ways do.
  ///   - divides: whether repacked elements become numbers in two parts.
  init(
    _ contraction: Contraction, constants: ContractionFeed.Major?, divides: Bool
  ) throws(CUDASourceError) {
    var contraction = contraction
    a = try contraction.feedRows(&plan, divides)
    b = try contraction.feedColumns(&plan, divides, constants: constants)
    self.contraction = contraction
  }
}

extension Contraction {
  /// Windows over fewer channels than this gather too small pieces.
  private static let fewChannels = 8

  fileprivate mutating func feedRows(_ plan: inout StepPlan, _ divides: Bool)
    throws(CUDASourceError)
    -> ContractionFeed
  {
    let size = type.byteCount
    if let feed = a.feed(type, window),
      window == nil || feed.vector * size >= 8 || a.channels.extent >= Self.fewChannels
    {
      return feed
    }
    let multiple = window != nil && a.channels.extent <= 4 ? 4 : 16 / size
    let isKept = a.lines.map { window != nil || $0.stride != 0 }
    var pack = PackKernel(
      type, outer: batchAxes(of: a) + zip(a.lines, isKept).filter(\.1).map(\.0),
      inner: [a.channels.padded(to: multiple)])
    pack.form = divides ? .divided : .plain
    var strides = try pack.schedule(&a, in: &plan)[...]
    relayBatch(&a, &strides)
    for index in a.lines.indices {
      a.lines[index].stride = isKept[index] ? strides.popFirst() ?? 0 : 0
    }
    a.channels = PackedAxis(pack.innerLength, stride: 1)
    return ContractionFeed(
      major: .depth, vector: ContractionOperand.vector(size, dividing: [multiple]))
  }

  fileprivate mutating func feedColumns(
    _ plan: inout StepPlan, _ divides: Bool, constants: ContractionFeed.Major?
  ) throws(CUDASourceError) -> ContractionFeed {
    let wide = 16 / type.byteCount
    if window == nil, let feed = b.feed(type, nil) {
      let isGood =
        feed.vector == wide && (constants == nil || feed.major == constants) && !divides
      if !b.isConstant || isGood { return feed }
    }
    var channels = b.channels
    if window != nil { channels.padded = a.depth }
    let deep = b.taps + [channels]
    let batch = batchAxes(of: b)
    var pack =
      constants == .line
      ? PackKernel(columnType, outer: batch + deep, inner: [b.lines[0].padded(to: wide)])
      : PackKernel(columnType, outer: batch + [b.lines[0]], inner: deep)
    pack.innerLength = ceilingQuotient(pack.innerLength, wide) * wide
    pack.form = divides ? .divided : .plain
    var strides = try pack.schedule(&b, in: &plan)[...]
    relayBatch(&b, &strides)
    b.taps = []
    if constants == .line {
      b.lines[0].stride = 1
      b.lines[0].padded = pack.innerLength
      b.channels = PackedAxis(deep.reduce(1) { $0 * $1.padded }, stride: pack.innerLength)
    } else {
      b.lines[0].stride = pack.innerLength
      b.channels = PackedAxis(pack.innerLength, stride: 1)
    }
    return ContractionFeed(major: constants ?? .depth, vector: wide)
  }

  /// The batch axes along which an operand differs.
  private func batchAxes(of operand: ContractionOperand) -> [PackedAxis] {
    zip(batch, operand.batchStrides).filter { $0.1 != 0 }.map { PackedAxis($0.0, stride: $0.1) }
  }

  private func relayBatch(_ operand: inout ContractionOperand, _ strides: inout ArraySlice<Int>) {
    operand.batchStrides = operand.batchStrides.map { $0 == 0 ? 0 : strides.popFirst() ?? 0 }
  }
}

extension PackedAxis {
  func padded(to multiple: Int) -> PackedAxis {
    var axis = self
    axis.padded = ceilingQuotient(extent, multiple) * multiple
    return axis
  }
}

extension StepPlan {
  /// Room in the workspace; where it begins.
  mutating func reserve(_ bytes: Int) -> Int {
    let offset = workspaceBytes
    workspaceBytes += ceilingQuotient(bytes, 256) * 256
    return offset
  }
}
