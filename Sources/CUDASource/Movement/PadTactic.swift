import KernelModel
import ProgramModel
import TensorModel

/// Padding and cropping.
enum PadTactic {
  static func candidates(
    _ request: CUDARequest, _ mode: Copy.PadMode, _ before: [Dimension]
  ) -> [any CUDATactic] {
    guard let x = request.step.inputs[0], let output = request.step.outputs.first,
      let before = Shape(before).constants
    else { return [] }
    if output.elementCount == 0 { return [NothingTactic()] }
    let isModest = (x.shape + output.shape + before).allSatisfy { abs($0) < 1 << 30 }
    guard isModest else { return [] }
    return ElementTactic.candidates(request, "pad", [movement(x, output, mode, before)])
  }

  private static func movement(
    _ x: View, _ output: View, _ mode: Copy.PadMode, _ before: [Int]
  ) -> ElementMovement {
    let padded = x.shape.indices.filter { before[$0] != 0 || x.shape[$0] != output.shape[$0] }
    var lane = Lane(
      strides: x.strides, offset: x.offset, steps: padded.map { x.strides[$0] })
    for axis in padded { lane.strides[axis] = 0 }
    let positions = padded.enumerated().map { number, axis in
      Position(
        name: "q\(number)", lane: number + 2, before: before[axis], extent: x.shape[axis],
        isInside: before[axis] <= 0 && output.shape[axis] - before[axis] <= x.shape[axis])
    }
    var condition: String?
    var fill = ""
    if case .constant(let value) = mode {
      let outside = positions.filter { !$0.isInside }
      if !outside.isEmpty {
        condition = outside.map(\.isInsideText).joined(separator: " && ")
        fill = x.dataType.bitsText(value)
      }
    }
    let address = ElementAddress(
      lane: 1, coordinates: positions.map(\.lane),
      statements: { place in positions.map { $0.declaration(place, mode) } },
      terms: zip(positions, padded).map { ($0.name, x.strides[$1]) }, condition: condition,
      fill: fill)
    let type = x.dataType.bits
    let size = type.byteCount
    let storage = type.cudaStorage ?? ""
    return ElementMovement(
      shape: output.shape, order: output.order,
      lanes: [Lane(output, shape: output.shape), lane]
        + padded.map { Lane.coordinate($0, rank: output.rank) },
      sizes: [size, size] + padded.map { _ in 0 },
      parameters: [
        .init(storage: storage, argument: .input(0)),
        .init(storage: storage, argument: .output(0)),
      ],
      sources: { walk, names throws(CUDASourceError) in
        [try address.source(names[0], type, walk)]
      },
      value: { texts in RenderedExpression(statements: [], value: texts[0], type: type) })
  }

  /// A coordinate of the output as one of x.
  private struct Position: Sendable {
    var name: String
    var lane: Int
    var before: Int
    var extent: Int
    /// Whether no position leaves x.
    var isInside: Bool

    var isInsideText: String { "(unsigned)\(name) < \(extent)u" }

    func declaration(_ place: ReadingPlace, _ mode: Copy.PadMode) -> String {
      let moved = IndexText.sum([(place.offset(lane), 1)], plus: -before)
      if isInside { return "const int \(name) = \(moved);" }
      let text =
        switch mode {
        case .constant: moved
        case .edge: "min(max(\(moved), 0), \(extent - 1))"
        case .wrap: "wrapped_index(\(moved), \(extent))"
        case .reflect: "reflected_index(\(moved), \(extent))"
        }
      return "const int \(name) = \(text);"
    }
  }
}
