import KernelModel
import ProgramModel
import TensorModel

/// What becomes of sums: an expression over them and further operands, and the place of the results.
struct ContractionEpilogue: Sendable {
  /// An operand of the expression, or the output.
  struct Place: Sendable {
    var name: String
    var argument: KernelLaunch.Argument
    var type: DataType
    var batchStrides: [Int]
    var rowStrides: [Int]
    var columnStride: Int
    /// Elements from the start of an aligned buffer.
    var offset: Int

    var storage: String { type.cudaStorage ?? "float" }

    /// Whether `count` elements along the columns are one aligned vector.
    func holdsVectors(of count: Int, _ extents: [Int]) -> Bool {
      let strides = zip(extents, rowStrides + batchStrides).filter { $0.0 > 1 }.map(\.1)
      return columnStride == 1 && (strides + [offset]).allSatisfy { $0 % count == 0 }
    }
  }

  let expression: ScalarExpression
  /// The type of the sums.
  let sumType: DataType
  let batch: [Int]
  let rows: [Int]
  let columns: Int
  var output: Place
  let operands: [Place]

  /// Nil where the step's types have no kernels.
  init?(_ step: Step, _ axes: OutputAxes) {
    guard let view = step.outputs.first, let epilogue = step.problem.epilogue,
      let a = step.inputs[0]?.dataType, let b = step.inputs[1]?.dataType,
      let sumType = a.sumOfProducts(with: b)
    else { return nil }
    func place(_ view: View, _ name: String, _ argument: KernelLaunch.Argument) -> Place {
      Place(
        name: name, argument: argument, type: view.dataType,
        batchStrides: axes.batch.map { view.strides[$0] },
        rowStrides: axes.rows.map { view.strides[$0] }, columnStride: view.strides[axes.column],
        offset: view.offset)
    }
    self.init(
      epilogue, sumType, batch: axes.batch.map { view.shape[$0] },
      rows: axes.rows.map { view.shape[$0] }, columns: view.shape[axes.column],
      output: place(view, "out", .output(0)),
      operands: step.inputs.dropFirst(2).enumerated().compactMap { index, operand in
        operand.map { place($0.expanded(to: view.shape), "x\(index)", .input(index + 2)) }
      })
    guard (try? render("0", operands.map { _ in "0" })) != nil else { return nil }
  }

  init(
    _ expression: ScalarExpression, _ sumType: DataType, batch: [Int], rows: [Int], columns: Int,
    output: Place, operands: [Place]
  ) {
    self.expression = expression
    self.sumType = sumType
    self.batch = batch
    self.rows = rows
    self.columns = columns
    self.output = output
    self.operands = operands
  }

  /// Whether an operand does not differ between rows.
  func isSameForAllRows(_ place: Place) -> Bool {
    zip(rows, place.rowStrides).allSatisfy { $0 == 1 || $1 == 0 }
  }

  /// The type that sums are kept in, as text, and their first value.
  var sumStorage: String { sumType == .int32 ? "int32_t" : "float" }
  var zeroSum: String { sumType == .int32 ? "0" : "0.0f" }

  /// Elements that are stored at once.
  var vector: Int {
    var vector = max(16 / output.type.byteCount, 1)
    vector = min(vector, 8)
    while vector > 1, columns % vector != 0 || !output.holdsVectors(of: vector, rows + batch) {
      vector /= 2
    }
    return vector
  }

  /// Whether neighbouring rows, not columns, lie side by side in the output.
  var isColumnMajor: Bool {
    output.columnStride != 1 && columns > 1 && rows.last != 1 && output.rowStrides.last == 1
  }

  /// The parameters of a kernel; none is `__restrict__`, as operands may lie where the output does.
  var parameters: [String] {
    operands.map { "const \($0.storage)* \($0.name)" } + ["\(output.storage)* \(output.name)"]
  }

  var arguments: [KernelLaunch.Argument] { operands.map(\.argument) + [output.argument] }

  private var places: [Place] { operands + [output] }

  /// Statements that move the parameters to a batch, whose number is `batch`.
  var batchStatements: [String] {
    guard batch.contains(where: { $0 > 1 }) else { return [] }
    let space = IndexSpace(shape: batch, strides: places.map(\.batchStrides))
    return space.coordinates(of: "batch", prefix: "z")
      + places.enumerated().map { index, place in
        "\(place.name) += \(space.offset(view: index, prefix: "z"));"
      }
  }

  private func render(
    _ sum: String, _ values: [String]
  ) throws(CUDASourceError) -> RenderedExpression {
    let texts = [OperandText(sum, sumType)] + zip(values, operands).map { OperandText($0, $1.type) }
    return try expression.cudaText(operands: texts)
  }
}

// MARK: - Text

/// The epilogue of `vector` neighbouring columns, `count` times, in statements that load all operands
/// before any result is stored.
struct EpilogueText {
  let epilogue: ContractionEpilogue
  let vector: Int
  /// The numbers of operands that are the same for all vectors of a thread, which `commonLoads` loads.
  var common: Set<Int> = []

  private var space: IndexSpace {
    IndexSpace(
      shape: epilogue.rows, strides: (epilogue.operands + [epilogue.output]).map(\.rowStrides))
  }

  /// Declares room for the operands of `count` vectors.
  func declarations(count: Int) -> [String] {
    epilogue.operands.enumerated().map { index, operand in
      "Vector<\(operand.storage), \(width(operand))> \(operand.name)_at[\(common.contains(index) ? 1 : count)];"
    }
  }

  /// Elements that an operand gives to a vector of results: one that all share, or one for each.
  private func width(_ operand: ContractionEpilogue.Place) -> Int {
    operand.columnStride == 0 || epilogue.columns == 1 ? 1 : vector
  }

  /// Statements that load the operands of vector `slot` for row `row` and columns from `column`.
  func loads(slot: String) -> [String] {
    loads(slot: slot, epilogue.operands.indices.filter { !common.contains($0) })
  }

  /// Statements that load what all vectors of a thread share, for any row `row` and columns from `column`.
  var commonLoads: [String] { loads(slot: "0", common.sorted()) }

  private func loads(slot: String, _ numbers: [Int]) -> [String] {
    guard !numbers.isEmpty else { return [] }
    var lines = space.coordinates(of: "row", prefix: "u")
    for index in numbers {
      let operand = epilogue.operands[index]
      let place =
        "\(operand.name) + \(space.offset(view: index, prefix: "u")) + "
        + IndexText.sum([(text: "column", factor: operand.columnStride)])
      let target = "\(operand.name)_at[\(slot)]"
      let width = width(operand)
      let part = min(width, max(16 / operand.type.byteCount, 1))
      if part > 1, operand.holdsVectors(of: part, epilogue.rows + epilogue.batch) {
        for first in stride(from: 0, to: width, by: part) {
          lines.append(
            "((Vector<\(operand.storage), \(part)>*)\(target).at)[\(first / part)]"
              + " = load_vector<\(part)>(\(place) + \(first));")
        }
      } else {
        for j in 0..<width {
          lines.append("\(target).at[\(j)] = (\(place))[\(j * operand.columnStride)];")
        }
      }
    }
    return lines
  }

  /// Statements that compute and store vector `slot`; `sum(j)` is the text of sum `j` of the vector,
  /// with `j` itself a variable.
  func results(slot: String, sum: String) throws(CUDASourceError) -> [String] {
    let output = epilogue.output
    var lines = space.coordinates(of: "row", prefix: "u")
    let index = epilogue.operands.count
    let place =
      "\(output.name) + \(space.offset(view: index, prefix: "u")) + "
      + IndexText.sum([(text: "column", factor: output.columnStride)])
    lines.append("Vector<\(output.storage), \(vector)> result;")
    lines.append("#pragma unroll")
    lines.append("for (int j = 0; j < \(vector); j++) {")
    let values = epilogue.operands.enumerated().map { index, operand in
      let place = common.contains(index) ? "0" : slot
      return "load(\(operand.name)_at[\(place)].at[\(width(operand) == 1 ? "0" : "j")])"
    }
    let texts =
      [OperandText(sum, epilogue.sumType)]
      + zip(values, epilogue.operands).map { OperandText($0, $1.type) }
    let rendered = try epilogue.expression.cudaText(operands: texts)
    lines += rendered.statements.map { "  " + $0 }
    lines.append("  result.at[j] = \(rendered.stored);")
    lines.append("}")
    lines.append("store_vector(\(place), result);")
    return lines
  }
}
