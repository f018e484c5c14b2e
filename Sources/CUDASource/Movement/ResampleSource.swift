import KernelModel
import ProgramModel
import TensorModel

/// What an element of a resampled tensor is read from: one element, or a weighted sum along axes.
struct ResampleSource: Sendable {
  /// Where a kernel finds the taps of an axis: parameters by their number.
  struct Table: Sendable {
    var axis: ResampleAxis
    /// Of the source, along the axis.
    var stride: Int
    var index: Int?
    var weight: Int?
  }

  var view: View
  var argument: KernelLaunch.Argument
  /// Numbers of the axes that are resampled.
  var axes: [Int]
  var isPicked: Bool
  var sumType: DataType
  /// Whether each product and each sum is rounded.
  var sumsExactly: Bool
  var extrapolation: Double

  /// The type of what is read.
  var valueType: DataType { isPicked ? view.dataType : sumType }

  /// The epilogue of a value.
  ///
  /// - Parameter type: of the resampled tensor.
  func finished(
    _ value: OperandText, as type: DataType, _ epilogue: ScalarExpression,
    _ texts: ArraySlice<String>, _ operands: [View]
  ) throws(CUDASourceError) -> RenderedExpression {
    var first = value
    var expression = epilogue
    if isPicked || type.isFloatingPoint {
      // Sums of 16-bit elements are single-precision values of their type.
      first.type = type
    } else {
      let others = operands.indices.map { ScalarExpression.operand($0 + 1) }
      expression = epilogue.substituting([.cast(.operand(0), type)] + others)
    }
    return try expression.cudaText(
      operands: [first] + zip(texts, operands).map { OperandText($0, $1.dataType) })
  }

  func source(
    _ tables: [Table], _ walk: VectorWalk, _ names: [String]
  ) throws(CUDASourceError) -> ElementSource {
    isPicked ? try picked(tables, walk, names) : try sum(tables, walk, names)
  }

  /// Declares the positions along the axes.
  private func positions(_ tables: [Table], _ place: ReadingPlace) -> [String] {
    tables.indices.map { "const int q\($0) = \(place.offset($0 + 2));" }
  }

  /// The condition that a place lies inside x; nil where all do.
  private func isInside(_ tables: [Table], _ names: [String]) -> String? {
    let parts = tables.enumerated().compactMap { number, table -> String? in
      guard table.axis.hasOutside, let index = table.index else { return nil }
      return "!\(names[index])[\(table.axis.count * table.axis.taps) + q\(number)]"
    }
    return parts.isEmpty ? nil : parts.joined(separator: " && ")
  }

  // MARK: - Nearest

  private func picked(
    _ tables: [Table], _ walk: VectorWalk, _ names: [String]
  ) throws(CUDASourceError) -> ElementSource {
    let type = view.dataType
    let terms = tables.indices.map { (text: "g\($0)", factor: tables[$0].stride) }
    var address = ElementAddress(
      lane: 1, coordinates: tables.indices.map { $0 + 2 },
      statements: { place in
        positions(tables, place)
          + tables.enumerated().map { number, table in
            let text =
              if let index = table.index {
                "\(names[index])[q\(number)]"
              } else {
                table.axis.formula?("q\(number)") ?? "q\(number)"
              }
            return "const int g\(number) = \(text);"
          }
      }, terms: terms)
    address.condition = isInside(tables, names)
    address.fill = "store<\(try view.storage)>(\(type.cudaLiteral(extrapolation)))"
    return try address.source(names[0], type, walk)
  }

  // MARK: - Sums

  private func sum(
    _ tables: [Table], _ walk: VectorWalk, _ names: [String]
  ) throws(CUDASourceError) -> ElementSource {
    guard let storage = sumType.cudaStorage else {
      throw CUDASourceError("kernels do not sum in \(sumType)")
    }
    let element = try view.storage
    let isWhole = tables.indices.allSatisfy { walk.access[$0 + 2] == .uniform }
    let access = isWhole || walk.width == 1 ? walk.access[1] : .single
    return ElementSource(storage: storage, type: sumType, access: access) { place in
      let loops = SumText(
        tables: tables, names: names, element: element, sum: storage, place: place,
        sumsExactly: sumsExactly, access: access)
      var lines = ["{"] + positions(tables, place)
      lines += loops.statements(tables.count - 1, offset: place.offset(1))
      let value = "s\(tables.count - 1)[k]"
      var stored = value
      if let inside = isInside(tables, names) {
        stored = "\(inside) ? \(value) : \(sumType.cudaLiteral(extrapolation))"
      }
      lines.append("for (int k = 0; k < \(place.width); k++) \(place.element("k")) = \(stored);")
      return lines + ["}"]
    }
  }
}

/// Nested loops over the taps of axes, the last axis outermost.
private struct SumText {
  var tables: [ResampleSource.Table]
  var names: [String]
  var element: String
  var sum: String
  var place: ReadingPlace
  var sumsExactly: Bool
  var access: VectorWalk.Access

  /// Statements that leave the sum over the axes up to `axis` in `s<axis>`.
  func statements(_ axis: Int, offset: String) -> [String] {
    let table = tables[axis]
    let taps = table.axis.taps
    let width = place.width
    let tap = "q\(axis) * \(taps) + t\(axis)"
    let index = names[table.index ?? 0], weight = names[table.weight ?? 0]
    let from = IndexText.sum([("\(index)[\(tap)]", table.stride)])
    var lines = [
      "\(sum) s\(axis)[\(width)];", "for (int k = 0; k < \(width); k++) s\(axis)[k] = 0;",
      taps <= 4 ? "#pragma unroll" : "#pragma unroll 2",
      "for (int t\(axis) = 0; t\(axis) < \(taps); t\(axis)++) {",
      "const \(sum) w\(axis) = \(weight)[\(tap)];",
      "const int o\(axis) = \(offset) + \(from);",
    ]
    let value: String
    if axis == 0 {
      let isVector = width > 1
      lines.append("\(isVector ? "Vector<\(element), \(width)>" : element) v;")
      var inner = place
      inner.target = "v"
      lines += inner.reading(names[0], offset: "o0", access)
      value = "(\(sum))load(\(isVector ? "v.at[k]" : "v"))"
    } else {
      lines += statements(axis - 1, offset: "o\(axis)")
      value = "s\(axis - 1)[k]"
    }
    let step =
      sumsExactly
      ? "rounded_sum(s\(axis)[k], rounded_product(w\(axis), \(value)))"
      : "s\(axis)[k] + w\(axis) * \(value)"
    // An element of weight 0 is not part of the sum, whatever it is.
    lines += [
      "for (int k = 0; k < \(width); k++) s\(axis)[k] = w\(axis) != 0 ? \(step) : s\(axis)[k];",
      "}",
    ]
    return lines
  }
}
