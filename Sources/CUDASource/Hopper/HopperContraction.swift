import KernelModel
import ProgramModel
import TensorModel

/// A contraction whose operands the copy engine can bring as tiles of 128 bytes of depth.
struct HopperContraction: Sendable {
  /// How the rows of a are reached.
  enum Rows: Sendable {
    /// One axis.
    case flat
    /// Several axes: images, outermost, and spatial axes under a window, which may be a single point.
    case pixels(spatial: [ContractionWindow.Axis], positions: [Int])
  }

  let contraction: Contraction
  let rows: Rows
  /// Images and spatial extents of a, outermost first, with their strides in elements.
  private let lines: [PackedAxis]
  /// Whether b must be repacked so that its depth is contiguous.
  let repacksColumns: Bool
  /// Where a is an image of few channels: the copy of it that the copy engine reads.
  let cells: CellLayout?

  private static let line = 128

  /// Elements of depth that one step multiplies.
  var stepDepth: Int { Self.line / contraction.type.byteCount }
  var channels: Int { contraction.a.channels.extent }
  var channelSteps: Int { ceilingQuotient(channels, stepDepth) }
  var taps: Int { contraction.taps }
  var steps: Int { channelSteps * taps }
  var rowCount: Int { contraction.rowCount }
  var columns: Int { contraction.columns }
  /// Bytes of one step's depth, of a row and of a column.
  var rowLine: Int { Self.line }
  var columnLine: Int { contraction.parts < 3 ? Self.line : stepDepth * 6 }

  /// Nil where the copy engine or the matrix units cannot do it.
  init?(_ request: CUDARequest) {
    guard request.gpu.architecture == 90, let contraction = Contraction(request),
      // The copy engine fills with zeros only.
      !contraction.padsWithNumbers,
      contraction.batchCount == 1, !contraction.isEmpty, contraction.a.channels.extent > 0,
      contraction.epilogue.output.columnStride == 1, contraction.epilogue.vector >= 4,
      let placed = Self.place(contraction),
      Self.isAligned(contraction.a, placed.lines, contraction.type)
    else { return nil }
    self.contraction = contraction
    (rows, lines) = placed
    // Numbers of b are divided when they are repacked, those of a on their way through registers.
    repacksColumns =
      contraction.type == .float32 || !Self.isInPlace(contraction.b, contraction.type)
    guard !repacksColumns || contraction.b.isConstant else { return nil }
    cells = nil
  }

  /// A convolution of an image of few channels; nil where it is none.
  init?(firstLayer request: CUDARequest) {
    guard request.gpu.architecture == 90, var contraction = Contraction(request),
      !contraction.isEmpty, contraction.epilogue.output.columnStride == 1,
      contraction.epilogue.vector >= 4, let cells = CellLayout(request)
    else { return nil }
    contraction.a.lines = cells.lines
    contraction.a.channels = PackedAxis(cells.lineLength, stride: 1)
    contraction.a.offset = 0
    contraction.window = cells.window
    contraction.padValue = 0
    guard let placed = Self.place(contraction) else { return nil }
    self.contraction = contraction
    (rows, lines) = placed
    repacksColumns = true
    self.cells = cells
  }

  private static func place(_ contraction: Contraction) -> (rows: Rows, lines: [PackedAxis])? {
    let a = contraction.a
    if let window = contraction.window {
      guard (1...3).contains(window.axes.count),
        zip(window.axes, contraction.rows.dropFirst()).allSatisfy({
          isInReach($0, positions: $1, spatial: window.axes.count)
        })
      else { return nil }
      return (.pixels(spatial: window.axes, positions: contraction.rows), a.lines)
    }
    let space = IndexSpace(shape: contraction.rows, strides: [a.rowStrides(nil)])
    let lines = zip(space.extents, space.strides[0]).map { PackedAxis($0, stride: $1) }
    if lines.count == 1 { return (.flat, lines) }
    guard lines.count <= 4 else { return nil }
    let axes = lines.dropFirst().map {
      ContractionWindow.Axis(
        extent: $0.extent, taps: 1, step: 1, dilation: 1, padding: 0, isPadded: false)
    }
    return (.pixels(spatial: axes, positions: space.extents), lines)
  }

  /// Whether the corners and offsets of a window fit the bits that the copy engine has for them.
  private static func isInReach(
    _ axis: ContractionWindow.Axis, positions: Int, spatial: Int
  ) -> Bool {
    let most = [1: 32767, 2: 127, 3: 15][spatial] ?? 0
    let lower = -axis.padding
    let upper = upperCorner(axis, positions)
    return axis.step <= 8 && axis.padding >= 0 && abs(lower) <= most && abs(upper) <= most
      && (axis.taps - 1) * axis.dilation <= most * 2
  }

  /// Where the last window begins, from the input's last element.
  private static func upperCorner(_ axis: ContractionWindow.Axis, _ positions: Int) -> Int {
    (positions - 1) * axis.step - axis.padding - (axis.extent - 1)
  }

  private static func isAligned(
    _ a: ContractionOperand, _ lines: [PackedAxis], _ type: DataType
  ) -> Bool {
    let size = type.byteCount
    guard a.channels.extent == 1 || a.channels.stride == 1 else { return false }
    let strides = lines.filter { $0.extent > 1 }.map(\.stride)
    return strides.allSatisfy { $0 > 0 && $0 * size % 16 == 0 } && a.offset * size % 16 == 0
      && a.channels.extent * size % 16 == 0
  }

  /// Whether b's depth is contiguous where it lies.
  private static func isInPlace(_ b: ContractionOperand, _ type: DataType) -> Bool {
    let size = type.byteCount
    return b.taps.isEmpty && b.channels.stride == 1 && b.lines.count == 1
      && (b.lines[0].extent == 1 || b.lines[0].stride > 0 && b.lines[0].stride * size % 16 == 0)
      && b.offset * size % 16 == 0
  }
}

// MARK: - Tensor maps

extension HopperContraction {
  /// Adds to a plan what comes before the product; returns where a lies.
  func prepareRows(in plan: inout StepPlan) -> TensorMap.Base {
    guard let cells else { return .input(0) }
    return .workspace(cells.scheduleCopy(in: &plan))
  }

  /// Seconds that this takes.
  func preparationSeconds(_ request: CUDARequest) -> Double {
    guard let cells else { return 0 }
    let bytes = Double(cells.byteCount) * 2
    return bytes / request.gpu.memoryBandwidth + request.launchSeconds
  }

  /// The map of a, for tiles of so many rows.
  func rowMap(_ tileRows: Int, at base: TensorMap.Base) -> TensorMap {
    let size = contraction.type.byteCount
    var extents = [channels]
    var strides: [Int] = []
    // An axis of one element never advances; its stride only has to be one that the engine takes.
    for axis in lines.reversed() {
      let dense = (strides.last ?? size) * (extents.last ?? 1)
      strides.append(axis.extent == 1 ? ceilingQuotient(dense, 16) * 16 : axis.stride * size)
      extents.append(axis.extent)
    }
    switch rows {
    case .flat:
      return TensorMap(
        base, contraction.type, extents: extents, strides: strides,
        window: .tiled(box: [stepDepth, tileRows]))
    case .pixels(let spatial, let positions):
      let axes = zip(spatial, positions.dropFirst()).reversed()
      return TensorMap(
        base, contraction.type, extents: extents, strides: strides,
        window: .im2col(
          lower: axes.map { -$0.0.padding }, upper: axes.map { Self.upperCorner($0.0, $0.1) },
          channels: stepDepth, pixels: tileRows),
        elementStrides: [1] + axes.map(\.0.step) + [1])
    }
  }

  /// The map of b, for tiles of so many columns: depth, taps, columns.
  func columnMap(_ tileColumns: Int, in plan: inout StepPlan) throws(CUDASourceError) -> TensorMap {
    let size = contraction.type.byteCount
    let isDivided = contraction.parts > 1
    let channels = isDivided ? channelSteps * stepDepth : channels
    var base = TensorMap.Base.input(1)
    var stride = contraction.b.lines[0].stride
    if let cells {
      base = .prepared(
        cells.scheduleWeights(in: &plan, tapLength: channels, parts: contraction.parts))
      stride =
        isDivided ? DividedProducts.words(taps * channels, contraction.parts) : taps * channels
    } else if repacksColumns {
      var b = contraction.b
      if isDivided { b.channels.padded = channels }
      var pack = PackKernel(
        contraction.columnType, outer: [b.lines[0]], inner: b.taps + [b.channels])
      pack.innerLength = ceilingQuotient(pack.innerLength * size, 16) * 16 / size
      pack.form = isDivided ? .dividedLines(parts: contraction.parts) : .plain
      if isDivided { pack.innerLength = DividedProducts.words(channels * taps, contraction.parts) }
      _ = try pack.schedule(&b, in: &plan)
      guard case .prepared(let place) = b.argument else {
        throw CUDASourceError("b is no constant")
      }
      base = .prepared(place)
      stride = pack.innerLength
    }
    if contraction.parts == 3 {
      return TensorMap(
        base, .bfloat16, extents: [stepDepth, contraction.columns, 3, steps],
        strides: [stride * size, stepDepth * 2, columnLine],
        window: .tiled(box: [stepDepth, tileColumns, 3, 1]), swizzle: .bytes64)
    }
    let parts = contraction.parts
    return TensorMap(
      base, isDivided ? .bfloat16 : contraction.columnType,
      extents: [channels * parts, taps, contraction.columns],
      strides: [taps == 1 ? stride * size : channels * size, stride * size],
      window: .tiled(box: [stepDepth * parts, 1, tileColumns]))
  }
}

// MARK: - The loader's text

extension HopperContraction {
  /// Statements that place the rows from `m0`.
  var tilePlace: [String] {
    guard case .pixels(let spatial, let positions) = rows else { return [] }
    var lines = AxisText.coordinates(positions, of: "m0", prefix: "u")
    for (index, axis) in spatial.enumerated() {
      lines.append("const int p\(index) = u\(index + 1) * \(axis.step) - \(axis.padding);")
    }
    return lines
  }

  /// Statements that declare where the reduction stands, at step `first`.
  func depthPlace(first: String?) -> [String] {
    guard let first else {
      return ["int c = 0;"]
        + (taps > 1 ? ["int tap = 0;"] + tapAxes.map { "int t\($0.0) = 0;" } : [])
    }
    var lines = ["int c = (\(first)) % \(channelSteps) * \(stepDepth);"]
    guard taps > 1 else { return lines }
    lines.append("int tap = (\(first)) / \(channelSteps);")
    var rest = "tap"
    for (index, axis) in tapAxes.reversed() {
      lines.append("int t\(index) = \(rest) % \(axis.taps);")
      rest = "(\(rest)) / \(axis.taps)"
    }
    return lines
  }

  private var tapAxes: [(Int, ContractionWindow.Axis)] {
    guard taps > 1, case .pixels(let spatial, _) = rows else { return [] }
    return Array(spatial.enumerated()).map { ($0.offset, $0.element) }
  }

  /// The statement that copies a's tile.
  func copyRows(to place: String, barrier: String) -> String {
    guard case .pixels(let spatial, _) = rows else {
      return "copy_box(\(place), &a, \(barrier), c, m0);"
    }
    let axes = spatial.indices.reversed()
    let coordinates = axes.map { "p\($0)" } + ["u0"]
    let offsets = axes.map { taps > 1 ? "t\($0) * \(spatial[$0].dilation)" : "0" }
    let all = ([place, "&a", barrier, "c"] + coordinates + offsets).joined(separator: ", ")
    return "copy_pixels(\(all));"
  }

  func copyColumns(to place: String, barrier: String) -> String {
    "copy_box(\(place), &b, \(barrier), \(columnPlace));"
  }

  /// The statement that asks the cache for b's tile.
  var prefetchColumns: String { "prefetch_box(&b, \(columnPlace));" }

  private var columnPlace: String {
    if contraction.parts == 3 {
      let tap = taps > 1 ? "tap * \(channelSteps) + " : ""
      return "0, n0, 0, \(tap)c / \(stepDepth)"
    }
    return "\(contraction.type == .float32 ? "c * 2" : "c"), \(taps > 1 ? "tap" : "0"), n0"
  }

  /// Moves the place in the reduction to the next step.
  func advance(_ text: inout KernelText) {
    text.line("c += \(stepDepth);")
    guard taps > 1 else { return }
    text.block("if (c >= \(channels))") { text in
      text.line("c = 0;")
      text.line("tap++;")
      for (index, axis) in tapAxes.reversed() {
        if index == 0 {
          text.line("t0++;")
        } else {
          text.line("if (++t\(index) == \(axis.taps)) { t\(index) = 0;")
        }
      }
      if tapAxes.count > 1 { text.line(String(repeating: "} ", count: tapAxes.count - 1)) }
    }
  }
}
