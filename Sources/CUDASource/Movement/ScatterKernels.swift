import KernelModel
import ProgramModel
import TensorModel

/// The kernels that update the output of a scatter, which already holds the data.
///
/// Each thread takes one element, or one vector, of the updates. Places have numbers: those of the
/// elements, or the slices, that indices name.
struct ScatterKernels {
  private let layout: ScatterLayout
  private let threads = 128
  private let indexType: String
  private let type: DataType
  private let storage: String
  /// Strides that give a place's number.
  private let placeStrides: [Int]
  private let lanes: [Lane]

  private enum LaneName {
    static let output = 0, updates = 1, indices = 2, place = 3, number = 4
  }

  init(_ layout: ScatterLayout) throws(CUDASourceError) {
    self.layout = layout
    indexType = try layout.indices.storage
    type =
      layout.problem.combination == .replace
      ? layout.data.dataType.bits : layout.data.dataType
    storage = type.cudaStorage ?? ""
    let output = layout.output
    let rank = layout.updates.rank
    let steps = layout.axes.map { output.strides[$0] }
    let updates = Lane(strides: layout.updates.strides, offset: layout.updates.offset)
    if let axis = layout.axis {
      func fixed(_ strides: [Int]) -> [Int] {
        strides.indices.map { $0 == axis ? 0 : strides[$0] }
      }
      let places = ShapeMath.rowMajorStrides(layout.data.shape)
      placeStrides = [places[axis]]
      lanes = [
        Lane(strides: fixed(output.strides), offset: output.offset, steps: steps), updates,
        Lane(strides: layout.indices.strides, offset: layout.indices.offset),
        Lane(strides: fixed(places), offset: nil),
        Lane(strides: ShapeMath.rowMajorStrides(layout.updates.shape), offset: nil),
      ]
    } else {
      let tuple = Array(layout.indices.shape.dropLast())
      let slice = [Int](repeating: 0, count: rank - tuple.count)
      let none = [Int](repeating: 0, count: tuple.count)
      placeStrides = ShapeMath.rowMajorStrides(layout.axes.map { layout.data.shape[$0] })
      lanes = [
        Lane(
          strides: none + output.strides.dropFirst(layout.axes.count), offset: output.offset,
          steps: steps),
        updates,
        Lane(strides: layout.indices.strides.dropLast() + slice, offset: layout.indices.offset),
        Lane(strides: none + slice, offset: nil),
        Lane(strides: ShapeMath.rowMajorStrides(tuple) + slice, offset: nil),
      ]
    }
  }

  // MARK: - Walks

  private func walk(width: Int) -> VectorWalk? {
    VectorWalk(
      shape: layout.updates.shape, order: layout.updates.order, lanes: lanes, width: width)
  }

  /// The widest vectors that lie inside slices.
  private var width: Int {
    guard layout.axis == nil else { return 1 }
    return [16, 8, 4, 2].first { width in
      guard width * type.byteCount <= 16, let walk = walk(width: width) else { return false }
      return walk.access[LaneName.output] == .vector && walk.access[LaneName.updates] == .vector
        && walk.access[LaneName.indices] == .uniform
        && walk.access[LaneName.number] == .uniform && !walk.hasTail
    } ?? 1
  }

  private func launch(
    _ entry: String, width: Int, state: String?, arguments: [KernelLaunch.Argument],
    _ body: (inout KernelText, ReadingPlace) throws(CUDASourceError) -> Void
  ) throws(CUDASourceError) -> KernelLaunch {
    guard let walk = walk(width: width) else { throw CUDASourceError("updates cannot be walked") }
    var parameters = ["const \(indexType)* indices", "const \(storage)* updates"]
    if let state { parameters.append(state) }
    parameters.append("\(storage)* y")
    var text = KernelText()
    try text.block("KERNEL(\(threads)) \(entry)(\(parameters.joined(separator: ", ")))") {
      text throws(CUDASourceError) in
      text.line("const unsigned i = blockIdx.x * \(threads)u + threadIdx.x;")
      text.line("if (i >= \(walk.vectorCount)u) return;")
      text.lines(walk.vectors.coordinates(of: "i", prefix: "c"))
      try body(
        &text,
        ReadingPlace(
          space: walk.vectors, prefix: "c", width: width, remainder: nil, target: "value"))
    }
    return KernelLaunch(
      KernelSource(entry: entry, body: text.text),
      grid: GridSize(ceilingQuotient(walk.vectorCount, threads)), threads: threads,
      arguments: arguments)
  }

  // MARK: - Places

  /// Declares `at0`, ..., the coordinates that the indices name, and returns where one is out of range.
  private func readIndices(_ place: ReadingPlace) -> [String] {
    let stride = layout.axis == nil ? layout.indices.strides[layout.indices.rank - 1] : 0
    var lines = layout.axes.enumerated().map { number, axis in
      let offset = IndexText.sum([(place.offset(LaneName.indices), 1)], plus: number * stride)
      let extent = layout.data.shape[axis]
      return "const int at\(number) = checked_index(indices[\(offset)], \(extent));"
    }
    if !lines.isEmpty {
      let outside = layout.axes.indices.map { "at\($0) < 0" }.joined(separator: " || ")
      lines.append("if (\(outside)) return;")
    }
    return lines
  }

  private var atTerms: [(text: String, factor: Int)] {
    layout.axes.indices.map { ("at\($0)", layout.output.strides[layout.axes[$0]]) }
  }

  private func target(_ place: ReadingPlace) -> String {
    IndexText.sum([(place.offset(LaneName.output), 1)] + atTerms)
  }

  /// The number of the place that indices name.
  private func placeNumber(_ place: ReadingPlace) -> String {
    IndexText.sum(
      [(place.offset(LaneName.place), 1)]
        + layout.axes.indices.map { ("at\($0)", placeStrides[$0]) })
  }

  // MARK: - Combinations

  /// The statements that combine `total` with `update`, both in the type of arithmetic.
  private func combination(_ total: String, _ update: String) throws(CUDASourceError) -> [String] {
    let function: BinaryFunction
    switch layout.problem.combination {
    case .replace: return ["\(total) = \(update);"]
    case .add: function = .add
    case .multiply: function = .multiply
    case .minimum: function = .minimum
    case .maximum: function = .maximum
    }
    let result = try ScalarExpression.binary(function, .operand(0), .operand(1)).cudaText(
      operands: [OperandText(total, type), OperandText(update, type)])
    return result.statements + ["\(total) = \(result.value);"]
  }

  private var arithmetic: String { type.cudaArithmetic ?? storage }

  // MARK: - Kernels

  /// Updates in any order.
  func atomic() throws(CUDASourceError) -> KernelLaunch {
    try launch(
      "scatter_atomic", width: 1, state: nil, arguments: [.input(1), .input(2), .output(0)]
    ) { text, place throws(CUDASourceError) in
      text.lines(readIndices(place))
      text.line("const \(arithmetic) update = load(updates[\(place.offset(LaneName.updates))]);")
      let isNative = layout.problem.combination == .add && [.float32, .int32].contains(type)
      if isNative {
        text.line("atomic_add(y + \(target(place)), update);")
      } else {
        let head = "atomic_apply(y + \(target(place)), [=](\(storage) old)"
        try text.block(head, end: "});") { text throws(CUDASourceError) in
          text.line("\(arithmetic) total = load(old);")
          text.lines(try combination("total", "update"))
          text.line("return store<\(storage)>(total);")
        }
      }
    }
  }

  /// The greatest number, from 1, of the updates of each place.
  func number() -> KernelLaunch {
    let isElements = layout.axis != nil
    let shape = isElements ? layout.updates.shape : Array(layout.indices.shape.dropLast())
    let rank = shape.count
    let space = IndexSpace(
      shape: shape, strides: lanes.map { Array($0.strides.prefix(rank)) })
    let count = space.elementCount
    let place = ReadingPlace(space: space, prefix: "c", width: 1, remainder: nil, target: "")
    var text = KernelText()
    text.block(
      "KERNEL(\(threads)) scatter_number(const \(indexType)* indices, uint32_t* last)"
    ) { text in
      text.line("const unsigned i = blockIdx.x * \(threads)u + threadIdx.x;")
      text.line("if (i >= \(count)u) return;")
      text.lines(space.coordinates(of: "i", prefix: "c"))
      text.lines(readIndices(place))
      text.line("atomic_maximum(last + \(placeNumber(place)), i + 1);")
    }
    return KernelLaunch(
      KernelSource(entry: "scatter_number", body: text.text),
      grid: GridSize(ceilingQuotient(count, threads)), threads: threads,
      arguments: [.input(1), .workspace(0)])
  }

  /// Writes the updates that `number` has found.
  func writeNumbered() throws(CUDASourceError) -> KernelLaunch {
    let width = width
    return try launch(
      "scatter_numbered", width: width, state: "const uint32_t* last",
      arguments: [.input(1), .input(2), .workspace(0), .output(0)]
    ) { text, place in
      text.lines(readIndices(place))
      text.line("const unsigned number = \(place.offset(LaneName.number));")
      text.line("if (last[\(placeNumber(place))] != number + 1) return;")
      let source = "load_vector<\(width)>(updates + \(place.offset(LaneName.updates)))"
      text.line("store_vector(y + \(target(place)), \(source));")
    }
  }

  /// Each element that is the first along the axis to name its place applies all that name it.
  func orderedElements() throws(CUDASourceError) -> KernelLaunch {
    guard let axis = layout.axis else { throw CUDASourceError("indices name slices") }
    let extent = layout.data.shape[axis]
    let count = layout.indices.shape[axis]
    let stride = layout.indices.strides[axis]
    return try launch(
      "scatter_ordered", width: 1, state: nil, arguments: [.input(1), .input(2), .output(0)]
    ) { text, place throws(CUDASourceError) in
      text.lines(readIndices(place))
      text.line("const unsigned number = \(place.offset(LaneName.number));")
      let inner = ShapeMath.rowMajorStrides(layout.updates.shape)[axis]
      text.line("const int own = number / \(inner)u % \(count)u;")
      text.line("indices += \(place.offset(LaneName.indices));")
      text.line("updates += \(place.offset(LaneName.updates));")
      let other = "checked_index(indices[(j - own) * \(stride)], \(extent))"
      text.line("for (int j = 0; j < own; j++) if (\(other) == at0) return;")
      text.line("const int target = \(target(place));")
      text.line("\(arithmetic) total = load(y[target]);")
      try text.block("for (int j = own; j < \(count); j++)") { text throws(CUDASourceError) in
        text.line("if (\(other) != at0) continue;")
        text.line(
          "const \(arithmetic) update = load(updates[(j - own) * \(layout.updates.strides[axis])]);"
        )
        text.lines(try combination("total", "update"))
      }
      text.line("y[target] = store<\(storage)>(total);")
    }
  }

  /// For each tuple of indices the place it names if it is the first to name it, else -1; then the next
  /// tuple that names the same place, or -1.
  func chain() -> KernelLaunch {
    let count = layout.tuples
    let shape = Array(layout.indices.shape.dropLast())
    let space = IndexSpace(
      shape: shape, strides: lanes.map { Array($0.strides.prefix(shape.count)) })
    let place = ReadingPlace(space: space, prefix: "c", width: 1, remainder: nil, target: "")
    var text = KernelText()
    let parameters = "const \(indexType)* indices, int32_t* places"
    text.block("KERNEL(\(threads)) scatter_chain(\(parameters))") { text in
      text.line("SHARED int32_t named[\(count)];")
      text.block("for (int i = threadIdx.x; i < \(count); i += \(threads))") { text in
        text.line("named[i] = -1;")
        text.lines(space.coordinates(of: "(unsigned)i", prefix: "c"))
        text.lines(readIndices(place).map { $0.replacing("return;", with: "continue;") })
        text.line("named[i] = \(placeNumber(place));")
      }
      text.line("block_barrier();")
      text.line("const int i = blockIdx.x * \(threads) + threadIdx.x;")
      text.line("if (i >= \(count)) return;")
      text.line("int place = named[i], next = -1;")
      text.block("if (place >= 0)") { text in
        text.block("for (int j = i + 1; j < \(count); j++)") { text in
          text.line("if (named[j] == named[i]) { next = j; break; }")
        }
        text.block("for (int j = 0; j < i; j++)") { text in
          text.line("if (named[j] == named[i]) { place = -1; break; }")
        }
      }
      text.line("places[i] = place;")
      text.line("places[\(count) + i] = next;")
    }
    return KernelLaunch(
      KernelSource(entry: "scatter_chain", body: text.text),
      grid: GridSize(ceilingQuotient(count, threads)), threads: threads,
      arguments: [.input(1), .workspace(0)])
  }

  /// The first tuple to name a place applies all that name it.
  func orderedSlices() throws(CUDASourceError) -> KernelLaunch {
    let width = width
    let tuple = Array(layout.indices.shape.dropLast())
    let places = IndexSpace(
      shape: layout.axes.map { layout.data.shape[$0] },
      strides: [layout.axes.map { layout.output.strides[$0] }])
    let tuples = IndexSpace(
      shape: tuple, strides: [Array(layout.updates.strides.prefix(tuple.count))])
    return try launch(
      "scatter_slices", width: width, state: "const int32_t* places",
      arguments: [.input(1), .input(2), .workspace(0), .output(0)]
    ) { text, place throws(CUDASourceError) in
      text.line("const int number = \(place.offset(LaneName.number));")
      text.line("const int place = places[number];")
      text.line("if (place < 0) return;")
      text.lines(places.coordinates(of: "(unsigned)place", prefix: "q"))
      let target = "\(place.offset(LaneName.output)) + \(places.offset(view: 0, prefix: "q"))"
      text.line("\(storage)* target = y + \(target);")
      text.lines(tuples.coordinates(of: "(unsigned)number", prefix: "n"))
      let own = tuples.offset(view: 0, prefix: "n")
      text.line("updates += \(place.offset(LaneName.updates)) - (\(own));")
      text.line("\(arithmetic) total[\(width)];")
      text.line("Vector<\(storage), \(width)> v = load_vector<\(width)>(target);")
      text.line("for (int k = 0; k < \(width); k++) total[k] = load(v.at[k]);")
      try text.block("for (int j = number; j >= 0; j = places[\(layout.tuples) + j])") {
        text throws(CUDASourceError) in
        text.lines(tuples.coordinates(of: "(unsigned)j", prefix: "m"))
        text.line(
          "v = load_vector<\(width)>(updates + \(tuples.offset(view: 0, prefix: "m")));")
        try text.block("for (int k = 0; k < \(width); k++)") { text throws(CUDASourceError) in
          text.line("const \(arithmetic) update = load(v.at[k]);")
          text.lines(try combination("total[k]", "update"))
        }
      }
      text.line("for (int k = 0; k < \(width); k++) v.at[k] = store<\(storage)>(total[k]);")
      text.line("store_vector(target, v);")
    }
  }
}
