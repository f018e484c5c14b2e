import KernelModel
import ProgramModel
import TensorModel

/// Images of few channels as a tensor of many, for the copy engine.
///
/// Pixels are divided into cells as large as the window's step, each a multiple of 16 bytes, in a copy that has
/// the padding too. The cells of one row under a window lie side by side: they are the channels of a window that is one
/// cell wide and moves from cell to cell. So neighbouring windows overlap in memory.
struct CellLayout: Sendable {
  /// An axis of the image.
  private struct Axis: Sendable {
    var extent: Int
    var step: Int
    var padding: Int
    var taps: Int
    var windows: Int

    var cellsOfWindow: Int { ceilingQuotient(taps, step) }
    var cells: Int { windows + cellsOfWindow - 1 }
  }

  private static let threads = 256
  private static let mostChannels = 4

  private let x: View
  private let weights: View
  private let rows: Axis
  private let columns: Axis
  private let padValue: Int

  init?(_ request: CUDARequest) {
    guard case .convolution(let problem) = request.step.problem, problem.groups == 1,
      !problem.isTransposed, let x = request.step.inputs[0], let weights = request.step.inputs[1],
      let output = request.step.outputs.first, x.rank == 4, request.isConstant[1],
      (1...Self.mostChannels).contains(x.shape[1]), problem.dilations.allSatisfy({ $0 == 1 }),
      problem.padsBefore.allSatisfy({ $0.constant != nil })
    else { return nil }
    self.x = x
    self.weights = weights
    padValue = problem.padValue
    let axes = (0..<2).map { axis in
      Axis(
        extent: x.shape[axis + 2], step: problem.strides[axis],
        padding: problem.padsBefore[axis].constant ?? 0, taps: weights.shape[axis + 2],
        windows: output.shape[axis + 2])
    }
    (rows, columns) = (axes[0], axes[1])
    guard Double(images) * Double(imageStride) < 0x1p31,
      Double(weights.shape[0]) * Double(taps * lineLength) < 0x1p31
    else { return nil }
  }

  // MARK: - Extents

  private var size: Int { x.dataType.byteCount }
  private var images: Int { x.shape[0] }
  private var channels: Int { x.shape[1] }
  /// Channels of a cell's pixel: the fewest that make cells multiples of 16 bytes.
  private var paddedChannels: Int {
    (channels...channels + 16).first { rows.step * columns.step * $0 * size % 16 == 0 } ?? channels
  }
  private var cellLength: Int { rows.step * columns.step * paddedChannels }
  private var rowStride: Int { columns.cells * cellLength }
  private var imageStride: Int { rows.cells * rowStride }

  /// Elements of one row of cells under a window, and such rows.
  var lineLength: Int { columns.cellsOfWindow * cellLength }
  var taps: Int { rows.cellsOfWindow }
  /// Bytes of the copy.
  var byteCount: Int { images * imageStride * size }

  /// The axes of the copy: images, rows of cells, and windows along a row.
  var lines: [PackedAxis] {
    [
      PackedAxis(images, stride: imageStride), PackedAxis(rows.cells, stride: rowStride),
      PackedAxis(columns.windows, stride: cellLength),
    ]
  }

  /// The window over rows of cells and windows along a row; nil for a single cell.
  var window: ContractionWindow? {
    // Windows that do not overlap are lines of a matrix.
    guard taps > 1 || columns.cellsOfWindow > 1 else { return nil }
    func axis(_ extent: Int, taps: Int) -> ContractionWindow.Axis {
      ContractionWindow.Axis(
        extent: extent, taps: taps, step: 1, dilation: 1, padding: 0, isPadded: false)
    }
    return ContractionWindow(axes: [axis(rows.cells, taps: taps), axis(columns.windows, taps: 1)])
  }

  // MARK: - Kernels

  /// Adds the copy of x to a plan; returns its place in the workspace.
  func scheduleCopy(in plan: inout StepPlan) -> Int {
    let place = plan.reserve(byteCount)
    plan.launches.append(
      launch("cells", copyText, count: byteCount / 16, .input(0), .workspace(place)))
    return place
  }

  /// Adds the copy of the weights to a plan, in lines of so many elements for each tap; returns its place among
  /// what is prepared.
  func scheduleWeights(in plan: inout StepPlan, tapLength: Int, parts: Int) -> Int {
    let length = parts > 1 ? DividedProducts.words(tapLength, parts) : tapLength
    let count = weights.shape[0] * taps * length
    plan.prepared.append(count * size)
    let place = plan.prepared.count - 1
    plan.preparation.append(
      launch(
        "weight_cells", weightText(count, length, parts), count: count, .input(1), .prepared(place))
    )
    return place
  }

  private func launch(
    _ entry: String, _ body: String, count: Int, _ source: KernelLaunch.Argument,
    _ target: KernelLaunch.Argument
  ) -> KernelLaunch {
    KernelLaunch(
      KernelSource(entry: entry, body: body),
      grid: GridSize(ceilingQuotient(count, Self.threads)), threads: Self.threads,
      arguments: [source, target])
  }

  private func head(_ entry: String, _ type: String) -> String {
    "KERNEL(\(Self.threads)) \(entry)(const \(type)* __restrict__ x, \(type)* __restrict__ y)"
  }

  /// Statements that divide a cell's element `at` into a channel and the pixel's place in the cell.
  private var placeInCell: [String] {
    [
      "const int c = at % \(paddedChannels), dx = at / \(paddedChannels) % \(columns.step);",
      "const int dy = at / \(paddedChannels * columns.step) % \(rows.step);",
    ]
  }

  private func element(_ view: View, _ coordinates: [String]) -> String {
    "x[\(IndexText.sum(zip(coordinates, view.strides).map { (text: $0.0, factor: $0.1) }))]"
  }

  private var copyText: String {
    let type = x.dataType.cudaStorage ?? "float"
    let vector = 16 / size
    let pieces = cellLength / vector
    var text = KernelText()
    text.block(head("cells", type)) { text in
      text.line("const int number = blockIdx.x * \(Self.threads) + threadIdx.x;")
      text.line("if (number >= \(byteCount / 16)) return;")
      text.line("const int piece = number % \(pieces), cell = number / \(pieces);")
      text.line("const int left = cell % \(columns.cells) * \(columns.step) - \(columns.padding);")
      text.line("const int line = cell / \(columns.cells), image = line / \(rows.cells);")
      text.line("const int top = line % \(rows.cells) * \(rows.step) - \(rows.padding);")
      text.line("Vector<\(type), \(vector)> result;")
      text.line("#pragma unroll")
      text.block("for (int j = 0; j < \(vector); j++)") { text in
        text.line("const int at = piece * \(vector) + j;")
        text.lines(placeInCell)
        text.line("const int row = top + dy, column = left + dx;")
        text.line(
          "const bool inside = c < \(channels) && (unsigned)row < \(rows.extent) && (unsigned)column < \(columns.extent);"
        )
        text.line("result.at[j] = store<\(type)>(\(padValue).0f);")
        text.line("if (inside) result.at[j] = \(element(x, ["image", "c", "row", "column"]));")
      }
      text.line("store_vector(y + number * \(vector), result);")
    }
    return text.text
  }

  private func weightText(_ count: Int, _ tapLength: Int, _ parts: Int) -> String {
    let type = weights.dataType.cudaStorage ?? "float"
    var text = KernelText()
    text.block(head("weight_cells", type)) { text in
      text.line("const int number = blockIdx.x * \(Self.threads) + threadIdx.x;")
      text.line("if (number >= \(count)) return;")
      text.line("const int line = number / \(tapLength);")
      text.line("const int tap = line % \(taps), filter = line / \(taps);")
      text.block("auto element = [&](int at) -> \(type)", end: "};") { text in
        text.lines(placeInCell)
        text.line(
          "const int row = tap * \(rows.step) + dy, column = at / \(cellLength) * \(columns.step) + dx;"
        )
        text.line(
          "const bool inside = c < \(channels) && row < \(rows.taps) && column < \(columns.taps);"
        )
        let value = element(weights, ["filter", "c", "row", "column"])
        text.line("return inside ? \(value) : store<\(type)>(0.0f);")
      }
      let at = "number % \(tapLength)"
      let value =
        parts > 1 ? DividedProducts.word(at: at, of: "element", parts) : "element(\(at))"
      text.line("y[number] = \(value);")
    }
    return text.text
  }
}
