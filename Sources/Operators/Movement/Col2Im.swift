package import GraphModel
import KernelModel
import TensorModel

/// Overlapping blocks summed into images: the transposed convolution with the identity as its weights.
package struct Col2Im: DataDependentOperator {
  package static let spellings = [Spelling.onnx("Col2Im")]

  private let strides: [Int]?
  private let dilations: [Int]?
  private let pads: [Int]?

  /// Weights of more elements than this are refused.
  private static let largestWeights = 1 << 26

  package init(_ attributes: AttributeReader) throws(OperatorError) {
    strides = try attributes.ints("strides")
    dilations = try attributes.ints("dilations")
    pads = try attributes.ints("pads")
  }

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    let (imageShape, blockShape) = (try expansion.input(1), try expansion.input(2))
    guard x.rank == 3 else { throw OperatorError("input has rank \(x.rank), expected 3") }
    guard let image = expansion.integers(imageShape),
      let block = expansion.integers(blockShape), x.shape[1].constant != nil
    else {
      var shape = try expansion.unknownShape(describedBy: imageShape)
      shape.dimensions.insert(contentsOf: [x.shape[0], expansion.freshSymbol("channels")], at: 0)
      return expansion.emitHost(outputs: [TensorType(x.dataType, shape)])
    }
    expansion.set(0, try fold(x, image: image, block: block, &expansion))
  }

  private func fold(
    _ x: Operand, image: [Int], block: [Int], _ expansion: inout Expansion
  ) throws(OperatorError) -> Operand {
    let spatial = image.count
    let strides = strides ?? image.map { _ in 1 }
    let dilations = dilations ?? image.map { _ in 1 }
    let pads = pads ?? [Int](repeating: 0, count: 2 * spatial)
    guard spatial > 0, block.count == spatial, strides.count == spatial,
      dilations.count == spatial, pads.count == 2 * spatial,
      strides.allSatisfy({ $0 > 0 }), dilations.allSatisfy({ $0 > 0 }),
      block.allSatisfy({ $0 > 0 }), x.dataType.isFloatingPoint
    else {
      throw OperatorError("blocks \(block) of image \(image) for an input of \(x.type)")
    }
    guard let size = ShapeMath.elementCount(block), let columns = x.shape[1].constant, size > 0,
      columns % size == 0
    else { throw OperatorError("\(x.shape[1]) columns do not divide into blocks \(block)") }
    var positions: [Dimension] = []
    var outputPadding: [Int] = []
    for axis in 0..<spatial {
      let reach = Dimension(block[axis] - 1) * Dimension(dilations[axis]) + 1
      let padding = Dimension(pads[axis]) + Dimension(pads[axis + spatial])
      let stride = Dimension(strides[axis])
      let room = Dimension(image[axis]) + padding - reach
      let count = room.floorDivided(by: stride) + 1
      guard let rest = (room - (count - 1) * stride).constant, count.constant ?? 0 > 0 else {
        throw OperatorError("blocks \(block) do not fit into image \(image)")
      }
      positions.append(count)
      outputPadding.append(rest)
    }
    let channels = columns / size
    let weights = try identity(channels, size, block, x.dataType, &expansion)
    let parts = try expansion.reshape(x, Shape([x.shape[0], x.shape[1]] + positions))
    let convolution = Convolution(
      strides: strides, dilations: dilations,
      padsBefore: pads[..<spatial].map { Dimension($0) },
      padsAfter: pads[spatial...].map { Dimension($0) }, groups: channels, isTransposed: true,
      outputPadding: outputPadding)
    return try expansion.emit(.convolution(convolution), [parts, weights])
  }

  /// Weights `[channels * size, 1, block...]` that put column k at place k of the block.
  private func identity(
    _ channels: Int, _ size: Int, _ block: [Int], _ type: DataType, _ expansion: inout Expansion
  ) throws(OperatorError) -> Operand {
    let shape = [channels * size, 1] + block
    guard let count = ShapeMath.elementCount(shape), count <= Self.largestWeights else {
      throw OperatorError("blocks \(block) of \(channels) channels are too many")
    }
    var values = [Double](repeating: 0, count: count)
    for column in 0..<(channels * size) { values[column * size + column % size] = 1 }
    return expansion.constant(try HostInputs.numbers(values, type, shape))
  }
}
