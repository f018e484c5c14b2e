import KernelModel
import ProgramModel
import TensorModel

/// Reshapes whose axes have no common parts: each element's number in the output leads to its place in
/// the input.
enum ReshapeTactic {
  static func candidates(_ request: CUDARequest) -> [any CUDATactic] {
    guard case .copy(.reshape) = request.step.problem, let x = request.step.inputs[0],
      let output = request.step.outputs.first
    else { return [] }
    return ElementTactic.candidates(request, "reshape", [movement(x, output)])
  }

  private static func movement(
    _ x: View, _ output: View
  ) -> ElementMovement {
    let source = IndexSpace(shape: x.shape, strides: [x.strides])
    let rank = output.rank
    let number = Lane(strides: ShapeMath.rowMajorStrides(output.shape), offset: nil)
    let address = ElementAddress(
      lane: 1, coordinates: [2],
      statements: { place in
        ["const unsigned number = \(place.offset(2));"]
          + source.coordinates(of: "number", prefix: "s")
          + ["const int from = \(source.offset(view: 0, prefix: "s"));"]
      },
      terms: [("from", 1)])
    let type = output.dataType.bits
    let storage = type.cudaStorage ?? ""
    return ElementMovement(
      shape: output.shape, order: output.order,
      lanes: [
        Lane(output, shape: output.shape),
        Lane(strides: [Int](repeating: 0, count: rank), offset: x.offset, steps: [1]), number,
      ],
      sizes: [type.byteCount, type.byteCount, 0],
      parameters: [
        .init(storage: storage, argument: .input(0)),
        .init(storage: storage, argument: .output(0)),
      ],
      sources: { walk, names throws(CUDASourceError) in
        [try address.source(names[0], type, walk)]
      },
      value: { texts in RenderedExpression(statements: [], value: texts[0], type: type) })
  }
}
