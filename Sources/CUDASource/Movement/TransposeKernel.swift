import ProgramModel
import TensorModel

/// The text of a kernel whose blocks each move one tile.
struct TransposeKernel {
  var movement: ElementMovement
  var tiling: Tiling
  var side: Int
  var threads: Int
  var widths: Tiling.Widths

  /// Coordinates of an element: `c0`, `c1`, ... along the axes of the tiling's space.
  private let prefix = "c"
  private var row: String { "\(prefix)\(tiling.rowAxis)" }
  private var column: String { "\(prefix)\(tiling.columnAxis)" }

  func text() throws(CUDASourceError) -> String {
    let parameters = movement.parameters
    let last = parameters.count - 1
    let declarations = parameters.enumerated().map { index, parameter in
      index == last ? "\(parameter.storage)* y" : "const \(parameter.storage)* p\(index)"
    }
    var text = KernelText()
    let head = "KERNEL(\(threads)) transpose(\(declarations.joined(separator: ", ")))"
    try text.block(head) { text throws(CUDASourceError) in
      for (index, parameter) in parameters.enumerated() where parameter.shift != 0 {
        text.line("\(index == last ? "y" : "p\(index)") += \(parameter.shift);")
      }
      for lane in tiling.transposed {
        let pitch = tiling.pitch(side, lane: lane)
        text.line("SHARED \(parameters[lane - 1].storage) tile\(lane)[\(side)][\(pitch)];")
      }
      writePlace(to: &text)
      for (lane, width) in zip(tiling.transposed, widths.tiles) {
        writeRead(lane, width, to: &text)
      }
      text.line("block_barrier();")
      try writeResults(to: &text)
    }
    return text.text
  }

  /// The tile's place, from the number of the block.
  private func writePlace(to text: inout KernelText) {
    let rows = ceilingQuotient(tiling.rows, side)
    let columns = ceilingQuotient(tiling.columns, side)
    text.line("const int first_row = (int)(blockIdx.x % \(rows)u) * \(side);")
    text.line("const int first_column = (int)(blockIdx.x / \(rows)u % \(columns)u) * \(side);")
    var rest = "(blockIdx.x / \(rows * columns)u)"
    for axis in tiling.space.extents.indices.reversed()
    where axis != tiling.rowAxis && axis != tiling.columnAxis {
      let extent = tiling.space.extents[axis]
      text.line("const int \(prefix)\(axis) = \(rest) % \(extent)u;")
      text.line("const unsigned rest\(axis) = \(rest) / \(extent)u;")
      rest = "rest\(axis)"
    }
  }

  /// One operand's tile into shared memory; all loads come before the first use.
  private func writeRead(_ lane: Int, _ width: Int, to text: inout KernelText) {
    let count = side * side / (threads * width)
    let storage = movement.parameters[lane - 1].storage
    func loop(_ text: inout KernelText, _ body: (inout KernelText) -> Void) {
      text.line("#pragma unroll")
      text.block("for (int k = 0; k < \(count); k++)") { text in
        text.line("const int n = threadIdx.x + k * \(threads);")
        text.line("const int r = n / \(side / width), q = n % \(side / width) * \(width);")
        body(&text)
      }
    }
    text.block("") { text in
      text.line("Vector<\(storage), \(width)> v[\(count)];")
      loop(&text) { text in
        text.line("const int \(row) = first_row + r, \(column) = first_column + q;")
        text.line("if (\(row) >= \(tiling.rows) || \(column) >= \(tiling.columns)) continue;")
        let place = "p\(lane - 1) + \(tiling.space.offset(view: lane, prefix: prefix))"
        text.line("v[k] = load_vector<\(width)>(\(place));")
      }
      loop(&text) { text in
        text.line("for (int j = 0; j < \(width); j++) tile\(lane)[r][q + j] = v[k].at[j];")
      }
    }
  }

  private func writeResults(to text: inout KernelText) throws(CUDASourceError) {
    let width = widths.output
    let output = movement.parameters[movement.parameters.count - 1].storage
    text.line("#pragma unroll")
    try text.block("for (int k = 0; k < \(side * side / (threads * width)); k++)") {
      text throws(CUDASourceError) in
      text.line("const int n = threadIdx.x + k * \(threads);")
      text.line("const int r = n % \(side / width) * \(width), q = n / \(side / width);")
      text.line("const int \(row) = first_row + r, \(column) = first_column + q;")
      text.line("if (\(row) >= \(tiling.rows) || \(column) >= \(tiling.columns)) continue;")
      let others = movement.lanes.indices.dropFirst().filter { !tiling.transposed.contains($0) }
      for lane in others { writeOther(lane, to: &text) }
      text.line("Vector<\(output), \(width)> result;")
      text.line("#pragma unroll")
      try text.block("for (int j = 0; j < \(width); j++)") { text throws(CUDASourceError) in
        var names: [String] = []
        for lane in movement.lanes.indices.dropFirst() {
          text.line("const auto x\(lane - 1) = load(\(element(lane)));")
          names.append("x\(lane - 1)")
        }
        let value = try movement.value(names)
        text.lines(value.statements)
        text.line("result.at[j] = \(value.stored);")
      }
      let place = "y + \(tiling.space.offset(view: 0, prefix: prefix))"
      text.line("store_vector(\(place), result);")
    }
  }

  private func isCoordinate(_ lane: Int) -> Bool { movement.lanes[lane].offset == nil }

  /// Reads the elements of an operand that lies like the output, or repeats.
  private func writeOther(_ lane: Int, to text: inout KernelText) {
    if isCoordinate(lane) { return }
    let access = tiling.access(lane: lane, width: widths.output)
    let storage = movement.parameters[lane - 1].storage
    let isVector = widths.output > 1 && access != .uniform
    let type = isVector ? "Vector<\(storage), \(widths.output)>" : storage
    text.line("\(type) v\(lane);")
    let place = ReadingPlace(
      space: tiling.space, prefix: prefix, width: isVector ? widths.output : 1, remainder: nil,
      target: "v\(lane)")
    text.lines(place.reading("p\(lane - 1)", offset: place.offset(lane), access))
  }

  /// Element `j` of a lane.
  private func element(_ lane: Int) -> String {
    if tiling.transposed.contains(lane) { return "tile\(lane)[r + j][q]" }
    if isCoordinate(lane) {
      let offset = tiling.space.offset(view: lane, prefix: prefix)
      return IndexText.sum([(offset, 1), ("j", tiling.space.strides[lane][tiling.rowAxis])])
    }
    let isUniform = tiling.access(lane: lane, width: widths.output) == .uniform
    return widths.output > 1 && !isUniform ? "v\(lane).at[j]" : "v\(lane)"
  }
}
