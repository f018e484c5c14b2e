package import GraphModel
import KernelModel
package import TensorModel

/// Boxes in the order of their scores, without those that overlap a better one too much.
package struct NonMaxSuppression: HostOperator {
  package static let spellings = [Spelling.onnx("NonMaxSuppression")]

  private let isCentered: Bool

  package init(_ attributes: AttributeReader) throws(OperatorError) {
    isCentered = try attributes.bool("center_point_box", default: false)
  }

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let (boxes, scores) = (try expansion.input(0), try expansion.input(1))
    guard boxes.rank == 3, scores.rank == 3, boxes.shape[2].constant ?? 4 == 4 else {
      throw OperatorError(
        "boxes \(boxes.shape) and scores \(scores.shape), expected [N, B, 4] and [N, C, B]")
    }
    let count = expansion.freshSymbol("count")
    try emitHostOrFold(&expansion, outputs: [TensorType(.int64, [count, 3])])
  }

  private struct Box {
    var low: (y: Double, x: Double)
    var high: (y: Double, x: Double)

    var area: Double { (high.y - low.y) * (high.x - low.x) }

    func overlap(_ other: Box) -> Double {
      let height = min(high.y, other.high.y) - max(low.y, other.low.y)
      let width = min(high.x, other.high.x) - max(low.x, other.low.x)
      guard height > 0, width > 0 else { return 0 }
      let shared = height * width
      return shared / (area + other.area - shared)
    }
  }

  private func box(_ values: ArraySlice<Double>) -> Box {
    let v = Array(values)
    if isCentered {
      return Box(
        low: (v[1] - v[3] / 2, v[0] - v[2] / 2), high: (v[1] + v[3] / 2, v[0] + v[2] / 2))
    }
    return Box(
      low: (min(v[0], v[2]), min(v[1], v[3])), high: (max(v[0], v[2]), max(v[1], v[3])))
  }

  package func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
    let shape = try HostInputs.tensor(inputs, 1).shape
    let boxShape = try HostInputs.tensor(inputs, 0).shape
    guard shape.count == 3, boxShape == [shape[0], shape[2], 4] else {
      throw OperatorError("boxes \(boxShape) and scores \(shape) do not fit together")
    }
    let values = try HostInputs.numbers(inputs, 0)
    let scores = try HostInputs.numbers(inputs, 1)
    let limit = try HostInputs.optionalIntegers(inputs, 2)?.first ?? 0
    let overlap = try HostInputs.optionalNumbers(inputs, 3)?.first ?? 0
    let threshold = try HostInputs.optionalNumbers(inputs, 4)?.first
    let count = shape[2]
    var selected: [Int64] = []
    for batch in 0..<shape[0] {
      let boxes = (0..<count).map { box(values[((batch * count + $0) * 4)...].prefix(4)) }
      for category in 0..<shape[1] {
        let row = Array(scores[((batch * shape[1] + category) * count)...].prefix(count))
        for index in choose(boxes, row, limit: limit, overlap: overlap, threshold: threshold) {
          selected += [Int64(batch), Int64(category), Int64(index)]
        }
      }
    }
    return [try HostInputs.integers(selected, .int64, [selected.count / 3, 3])]
  }

  private func choose(
    _ boxes: [Box], _ scores: [Double], limit: Int, overlap: Double, threshold: Double?
  ) -> [Int] {
    let candidates = scores.indices.filter { index in
      threshold.map { scores[index] > $0 } ?? true
    }
    let order = candidates.sorted {
      scores[$0] > scores[$1] || (scores[$0] == scores[$1] && $0 < $1)
    }
    var chosen: [Int] = []
    for index in order {
      guard chosen.count < limit else { break }
      if chosen.allSatisfy({ boxes[index].overlap(boxes[$0]) <= overlap }) { chosen.append(index) }
    }
    return chosen
  }
}
