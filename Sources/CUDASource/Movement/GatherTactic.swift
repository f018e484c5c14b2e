import KernelModel
import ProgramModel
import TensorModel

/// Elements at places that indices name.
enum GatherTactic {
  static func candidates(_ request: CUDARequest, _ problem: Gather) -> [any CUDATactic] {
    guard request.step.inputs.count == 2, let data = request.step.inputs[0],
      let indices = request.step.inputs[1], let output = request.step.outputs.first
    else { return [] }
    if output.elementCount == 0 { return [NothingTactic()] }
    guard data.elementCount > 0, let index = indices.dataType.cudaStorage,
      let layout = GatherLayout(problem, data: data, indices: indices, output: output)
    else { return [] }
    return ElementTactic.candidates(
      request, "gather", [movement(layout, data, indices, index: index, output)])
  }

  private static func movement(
    _ layout: GatherLayout, _ data: View, _ indices: View, index: String, _ output: View
  ) -> ElementMovement {
    let type = data.dataType.bits
    let storage = type.cudaStorage ?? ""
    let axes = layout.axes
    let places = axes.indices.map { (text: "g\($0)", factor: data.strides[axes[$0]]) }
    let size = type.byteCount
    return ElementMovement(
      shape: output.shape, order: output.order,
      lanes: [Lane(output, shape: output.shape), layout.data, layout.indices],
      sizes: [size, size, indices.dataType.byteCount],
      parameters: [
        .init(storage: storage, argument: .input(0)),
        .init(storage: index, argument: .input(1)),
        .init(storage: storage, argument: .output(0)),
      ],
      sources: { walk, names throws(CUDASourceError) in
        let address = ElementAddress(
          lane: 1, coordinates: [2],
          statements: { place in
            axes.enumerated().map { number, axis in
              let offset = IndexText.sum([(place.offset(2), 1)], plus: number * layout.indexStride)
              let extent = data.shape[axis]
              return "const int g\(number) = clamped_index(\(names[1])[\(offset)], \(extent));"
            }
          }, terms: places)
        return [try address.source(names[0], type, walk)]
      },
      value: { texts in RenderedExpression(statements: [], value: texts[0], type: type) })
  }
}

/// How the axes of a gather's output run through its inputs.
private struct GatherLayout {
  /// Data without the axes that indices address.
  var data: Lane
  var indices: Lane
  /// The axes of data that indices address, and the distance between indices of one place.
  var axes: [Int]
  var indexStride = 0

  init?(_ problem: Gather, data: View, indices: View, output: View) {
    let fixed: [Int]
    let moving: [Int]
    switch problem {
    case .slices(let axis):
      axes = [axis]
      let none = [Int](repeating: 0, count: indices.rank)
      fixed = data.strides[..<axis] + none + data.strides[(axis + 1)...]
      moving =
        [Int](repeating: 0, count: axis) + indices.strides
        + [Int](repeating: 0, count: data.rank - axis - 1)
    case .elements(let axis):
      axes = [axis]
      fixed = data.strides.indices.map { $0 == axis ? 0 : data.strides[$0] }
      moving = indices.strides
    case .coordinates(let batchAxes):
      guard let depth = indices.shape.last,
        indices.shape[..<batchAxes] == data.shape[..<batchAxes]
      else { return nil }
      axes = Array(batchAxes..<batchAxes + depth)
      indexStride = indices.strides[indices.rank - 1]
      let places = indices.rank - 1
      let inner = data.rank - batchAxes - depth
      fixed =
        data.strides[..<batchAxes] + [Int](repeating: 0, count: places - batchAxes)
        + data.strides[(batchAxes + depth)...]
      moving = indices.strides[..<places] + [Int](repeating: 0, count: inner)
    }
    guard fixed.count == output.rank, moving.count == output.rank else { return nil }
    self.data = Lane(strides: fixed, offset: data.offset, steps: axes.map { data.strides[$0] })
    self.indices = Lane(strides: moving, offset: indices.offset)
  }
}
