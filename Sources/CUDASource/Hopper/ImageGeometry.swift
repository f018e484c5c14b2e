import KernelModel
import ProgramModel
import TensorModel

/// How an image lies in the shared memory of the kernel that convolves it: one of few channels, whose pixels are
/// copied one by one, or one whose pixels are whole pieces of 16 bytes. All elements have 16 bits; numbers in single
/// precision are two of them, in two parts of each row: see `DividedNumbers`.
struct ImageGeometry: Sendable {
  struct Axis: Sendable {
    var extent: Int
    var step: Int
    var padding: Int
    var taps: Int
    var windows: Int
  }

  private static let mostChannels = 4
  private static let mostPixels = 128
  private static let size = 2
  /// Elements of 16 bytes.
  static let vector = 16 / size

  let x: View
  let weights: View
  let rows: Axis
  let columns: Axis
  /// Channels of a cell's pixel, with those that only fill it.
  let paddedChannels: Int
  /// Whether pixels are whole pieces.
  let isWide: Bool

  init?(_ request: CUDARequest) {
    guard case .convolution(let problem) = request.step.problem, problem.groups == 1,
      !problem.isTransposed, let x = request.step.inputs[0], let weights = request.step.inputs[1],
      let output = request.step.outputs.first, x.rank == 4, request.isConstant[1],
      problem.dilations.allSatisfy({ $0 == 1 }), x.shape[1] > 0,
      problem.padsBefore.allSatisfy({ $0.constant != nil })
    else { return nil }
    let size = Self.size, step = problem.strides[1]
    isWide = x.shape[1] > Self.mostChannels
    if isWide {
      let distances = [0, 2, 3].map { x.strides[$0] } + [x.offset]
      guard x.dataType.byteCount == size, step == 1, x.shape[1] % 16 == 0, x.strides[1] == 1,
        distances.allSatisfy({ $0 % 8 == 0 }), weights.shape[2] * weights.shape[3] > 1
      else { return nil }
      paddedChannels = x.shape[1]
    } else {
      guard
        let channels = (x.shape[1]...16).first(where: { step * $0 * size % 16 == 0 }),
        step * channels * size <= 32
      else { return nil }
      paddedChannels = channels
    }
    self.x = x
    self.weights = weights
    let axes = (0..<2).map { axis in
      Axis(
        extent: x.shape[axis + 2], step: problem.strides[axis],
        padding: problem.padsBefore[axis].constant ?? 0, taps: weights.shape[axis + 2],
        windows: output.shape[axis + 2])
    }
    (rows, columns) = (axes[0], axes[1])
    guard rows.taps <= 16, columns.taps <= 16, rows.windows > 0, columns.windows > 0 else {
      return nil
    }
  }

  var images: Int { x.shape[0] }
  var channels: Int { x.shape[1] }
  /// Whether elements are divided into two parts.
  var isDivided: Bool { x.dataType == .float32 }
  private var parts: Int { isDivided ? 2 : 1 }
  /// Pieces of 16 bytes of a cell, each in a plane of its own.
  var planes: Int { columns.step * paddedChannels / Self.vector }

  /// A row of results is computed in so many sections, of so many pixels each.
  var sections: Int { ceilingQuotient(columns.windows, Self.mostPixels) }
  var pixels: Int { ceilingQuotient(ceilingQuotient(columns.windows, sections), 8) * 8 }
  var filterBlocks: Int { ceilingQuotient(weights.shape[0], ImageKernel.filters) }

  /// Cells under a window, so many that instructions take them in pairs of pieces.
  private var windowCells: Int {
    let cells = ceilingQuotient(columns.taps, columns.step)
    return planes == 1 ? ceilingQuotient(cells, 2) * 2 : cells
  }
  /// Matrix instructions of one row of the window.
  var steps: Int { windowCells * planes / 2 }
  /// Between the two pieces of one instruction.
  var leadingBytes: Int { planes == 1 ? 16 : cells * 16 }
  /// Where the first pieces of an instruction lie in a row of cells.
  func stepPlace(_ step: String) -> String {
    switch planes {
    case 1: "\(step) * 32"
    case 2: "\(step) * 16"
    default: "\(step) / \(planes / 2) * 16 + \(step) % \(planes / 2) * \(2 * cells * 16)"
    }
  }

  /// Cells of a row of the image, for one section of a row of results; an odd number where the planes of one pixel are
  /// written together, so that they do not meet in a bank.
  var cells: Int {
    let cells = pixels + windowCells - 1
    return isWide ? cells | 1 : cells
  }
  var pieces: Int { cells * planes }
  var partBytes: Int { pieces * 16 }
  var rowBytes: Int { partBytes * parts }
  /// Rows that one row of results has and the one before does not.
  var newRows: Int { min(rows.step, rows.taps) }
  var slots: Int { rows.taps + (isWide ? 2 : 1) * newRows }

  /// Bytes of the filters of one block: for each piece of a window, 16 bytes for each filter.
  var filterBytes: Int { filterPartBytes * parts }
  var filterPartBytes: Int { rows.taps * windowCells * planes * ImageKernel.filters * 16 }

  func element(of name: String, _ coordinates: [String]) -> String {
    "\(name)[\(IndexText.sum(zip(coordinates, x.strides).map { (text: $0.0, factor: $0.1) }))]"
  }

  /// Adds the copy of the filters to a plan; returns its place among what is prepared.
  func scheduleFilters(in plan: inout StepPlan) -> Int {
    let bytes = filterBlocks * filterBytes
    plan.prepared.append(bytes)
    let place = plan.prepared.count - 1
    plan.preparation.append(
      KernelLaunch(
        KernelSource(entry: "pack_filters", body: filterText(bytes / Self.size)),
        grid: GridSize(ceilingQuotient(bytes / Self.size, 256)), threads: 256,
        arguments: [.input(1), .prepared(place)]))
    return place
  }

  private func filterText(_ count: Int) -> String {
    let type = weights.dataType.cudaStorage ?? "float"
    let packed = isDivided ? "uint16_t" : type
    var text = KernelText()
    text.block(
      "KERNEL(256) pack_filters(const \(type)* __restrict__ w, \(packed)* __restrict__ packed)"
    ) { text in
      text.line("const int number = blockIdx.x * 256 + threadIdx.x;")
      text.line("if (number >= \(count)) return;")
      text.line("int rest = number / \(Self.vector);")
      text.line("const int near = rest % \(ImageKernel.filters); rest /= \(ImageKernel.filters);")
      text.line(
        "const int at = rest % \(planes) * \(Self.vector) + number % \(Self.vector); rest /= \(planes);"
      )
      text.line("const int cell = rest % \(windowCells); rest /= \(windowCells);")
      text.line("const int row = rest % \(rows.taps); rest /= \(rows.taps);")
      text.line("const int filter = rest / \(parts) * \(ImageKernel.filters) + near;")
      text.line(
        "const int c = at % \(paddedChannels), column = cell * \(columns.step) + at / \(paddedChannels);"
      )
      text.line(
        "const bool inside = c < \(channels) && column < \(columns.taps) && filter < \(weights.shape[0]);"
      )
      let place = zip(["filter", "c", "row", "column"], weights.strides)
      let value = "w[\(IndexText.sum(place.map { (text: $0.0, factor: $0.1) }))]"
      text.line("const \(type) value = inside ? \(value) : store<\(type)>(0.0f);")
      if isDivided {
        text.line("uint32_t high, low;")
        text.line("divide_floats(value, 0.0f, high, low);")
        text.line("packed[number] = (uint16_t)(rest % 2 ? low : high);")
      } else {
        text.line("packed[number] = value;")
      }
    }
    return text.text
  }
}
