import GraphModel
import KernelModel
import TensorModel

/// The matrix of a discrete Fourier transform, written as a pointwise kernel, so that it folds.
struct FourierMatrix {
  let length: Int
  /// The numbers of the result that are computed.
  let frequencies: Int
  let isInverse: Bool

  static let longest = 1 << 24

  init(length: Int, isOneSided: Bool, isInverse: Bool) throws(OperatorError) {
    guard length > 0, length <= Self.longest else {
      throw OperatorError("a Fourier transform of length \(length)")
    }
    self.length = length
    frequencies = isOneSided ? length / 2 + 1 : length
    self.isInverse = isInverse
  }

  /// `[rows, parts, frequencies, 2]`: how real and imaginary part of each number of the signal count in
  /// the real and imaginary part of each frequency.
  func emit(
    _ expansion: inout Expansion, rows: Int, parts: Int, type: DataType
  ) throws(OperatorError) -> Operand {
    func whole(_ value: Int) -> ScalarExpression { .constant(Double(value), .int64) }
    func real(_ value: Double) -> ScalarExpression { .constant(value, .float64) }
    let turns = ScalarExpression.binary(
      .moduloFloor, .index(axis: 0) * .index(axis: 2), whole(length))
    let sign: Double = isInverse ? 1 : -1
    let angle = .cast(turns, .float64) * real(sign * 2 * Double.pi / Double(length))
    let cosine = ScalarExpression.unary(.cosine, angle)
    let sine = ScalarExpression.unary(.sine, angle)
    let isReal = ScalarExpression.binary(.equal, .index(axis: 1), whole(0))
    let givesReal = ScalarExpression.binary(.equal, .index(axis: 3), whole(0))
    // (a + ib)(cos + i sin)
    let factor = ScalarExpression.select(
      givesReal, .select(isReal, cosine, -sine), .select(isReal, sine, cosine))
    let scaled = isInverse ? factor / real(Double(length)) : factor
    return try expansion.emit(
      .pointwise(
        Pointwise(
          type == .float64 ? scaled : .cast(scaled, type),
          shape: Shape([rows, parts, frequencies, 2]))), [])
  }
}

/// The discrete Fourier transform along an axis. Source: ONNX `DFT`.
struct DFTOperator: DataDependentOperator {
  static let spellings = [Spelling.onnx("DFT")]

  private let axis: Int?
  private let isOneSided: Bool
  private let isInverse: Bool
  /// A one-sided spectrum is its own mirror image; its inverse is real.
  private var mirrors: Bool { isInverse && isOneSided }

  init(_ attributes: AttributeReader) throws(OperatorError) {
    axis = attributes.version < 20 ? try attributes.int("axis", default: 1) : nil
    isOneSided = try attributes.bool("onesided", default: false)
    isInverse = try attributes.bool("inverse", default: false)
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    guard x.rank >= 2, let parts = x.shape[x.rank - 1].constant, parts == 1 || parts == 2 else {
      throw OperatorError("x has shape \(x.shape), expected a last axis of 1 or 2 parts")
    }
    let lengthInput = expansion.optionalInput(1), axisInput = expansion.optionalInput(2)
    let asked = lengthInput.flatMap { expansion.integers($0)?.first }
    let writtenAxis = axis ?? (axisInput == nil ? -2 : nil)
    guard let place = writtenAxis ?? axisInput.flatMap({ expansion.integers($0)?.first }),
      lengthInput == nil || asked != nil
    else {
      var shape = expansion.unknownShape(rank: x.rank)
      shape[x.rank - 1] = mirrors ? 1 : 2
      return try emitHostOrFold(&expansion, outputs: [TensorType(x.dataType, shape)])
    }
    let axis = try expansion.axis(place, rank: x.rank)
    guard axis != x.rank - 1 else { throw OperatorError("axis \(axis) is that of the parts") }
    guard let extent = x.shape[axis].constant, (1...FourierMatrix.longest).contains(extent) else {
      throw OperatorError(
        "the transformed axis has extent \(x.shape[axis]), expected 1 to \(FourierMatrix.longest)")
    }
    if mirrors {
      return try expandMirrored(
        &expansion, x, axis: axis, length: asked ?? 2 * (extent - 1), extent: extent)
    }
    let matrix = try FourierMatrix(
      length: asked ?? extent, isOneSided: isOneSided, isInverse: isInverse)
    let rows = min(extent, matrix.length)
    let used =
      rows == extent
      ? x : try expansion.slice(x, axis: axis, start: 0, count: Dimension(rows))
    expansion.set(
      0, try transformed(&expansion, used, axis: axis, matrix, rows: rows, parts: parts))
  }

  /// x times the matrix, along the axis and the parts.
  private func transformed(
    _ expansion: inout Expansion, _ x: Operand, axis: Int, _ matrix: FourierMatrix, rows: Int,
    parts: Int
  ) throws(OperatorError) -> Operand {
    let weights = try expansion.reshape(
      try matrix.emit(&expansion, rows: rows, parts: parts, type: x.dataType),
      Shape([rows * parts, matrix.frequencies * 2]))
    let others = (0..<(x.rank - 1)).filter { $0 != axis }
    let moved = try expansion.transpose(x, others + [axis, x.rank - 1])
    let outer = others.map { x.shape[$0] }
    let flat = try expansion.reshape(moved, Shape([.product(outer), Dimension(rows * parts)]))
    let product = try expansion.matmul(flat, weights)
    let split = try expansion.reshape(
      product, Shape(outer + [Dimension(matrix.frequencies), 2]))
    // Back: the transformed axis is the last but one.
    var permutation = Array(0..<others.count)
    permutation.insert(others.count, at: axis)
    return try expansion.transpose(split, permutation + [x.rank - 1])
  }

  /// The real signal of a one-sided spectrum.
  private func expandMirrored(
    _ expansion: inout Expansion, _ x: Operand, axis: Int, length: Int, extent: Int
  ) throws(OperatorError) {
    guard length > 0, extent == length / 2 + 1, x.shape[x.rank - 1].constant == 2 else {
      throw OperatorError(
        "a one-sided spectrum of \(extent) numbers is not that of a signal of \(length)")
    }
    // Numbers 1 ... (length - 1) / 2 again, conjugated, from the last to the first.
    let count = (length - 1) / 2
    var parts = [x]
    if count > 0 {
      let mirrored = try expansion.slice(
        x, axis: axis, start: Dimension(count), count: Dimension(count), step: -1)
      let isReal = ScalarExpression.binary(
        .equal, .index(axis: x.rank - 1), .constant(0, .int64))
      parts.append(
        try expansion.pointwise(.select(isReal, .operand(0), -.operand(0)), [mirrored]))
    }
    let whole = try expansion.concatenate(parts, axis: axis)
    let matrix = try FourierMatrix(length: length, isOneSided: false, isInverse: true)
    let y = try transformed(
      &expansion, whole, axis: axis, matrix, rows: length, parts: 2)
    expansion.set(0, try expansion.slice(y, axis: x.rank - 1, start: 0, count: 1))
  }
}

/// Fourier transforms of windows of a signal. Source: ONNX `STFT`.
struct STFTOperator: DataDependentOperator {
  static let spellings = [Spelling.onnx("STFT")]

  private let isOneSided: Bool

  init(_ attributes: AttributeReader) throws(OperatorError) {
    isOneSided = try attributes.bool("onesided", default: true)
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    var signal = try expansion.input(0)
    if signal.rank == 2 { signal = try expansion.unsqueeze(signal, axes: [2]) }
    guard signal.rank == 3, let parts = signal.shape[2].constant, parts == 1 || parts == 2 else {
      throw OperatorError("the signal has shape \(signal.shape), expected batch, length, parts")
    }
    let window = expansion.optionalInput(2), lengthInput = expansion.optionalInput(3)
    guard lengthInput != nil || window != nil else {
      throw OperatorError("neither a window nor a frame length is given")
    }
    let asked = lengthInput.flatMap { expansion.integers($0)?.first }
    guard let step = expansion.integers(try expansion.input(1))?.first,
      let length = lengthInput == nil ? window?.shape.dimensions.first?.constant : asked
    else {
      var shape = expansion.unknownShape(rank: 4)
      (shape[0], shape[3]) = (signal.shape[0], 2)
      return try emitHostOrFold(&expansion, outputs: [TensorType(signal.dataType, shape)])
    }
    guard step > 0 else { throw OperatorError("input 1 ('frame_step') is \(step)") }
    let matrix = try FourierMatrix(length: length, isOneSided: isOneSided, isInverse: false)
    var weights = try matrix.emit(
      &expansion, rows: length, parts: parts, type: signal.dataType)
    if let window {
      guard window.rank == 1 else {
        throw OperatorError("the window has shape \(window.shape), expected one axis")
      }
      weights = try expansion.pointwise(
        .operand(0) * .operand(1),
        [weights, try expansion.reshape(window, [window.shape[0], 1, 1, 1])])
    }
    // A transform of every window is a convolution: [length, parts, f, 2] as [f * 2, parts, length].
    let kernel = try expansion.reshape(
      try expansion.transpose(weights, [2, 3, 1, 0]),
      Shape([matrix.frequencies * 2, parts, length]))
    let convolution = Convolution(
      strides: [step], dilations: [1], padsBefore: [0], padsAfter: [0])
    let spectra = try expansion.emit(
      .convolution(convolution), [try expansion.transpose(signal, [0, 2, 1]), kernel])
    let split = try expansion.reshape(
      spectra,
      [spectra.shape[0], Dimension(matrix.frequencies), 2, spectra.shape[2]])
    expansion.set(0, try expansion.transpose(split, [0, 3, 1, 2]))
  }
}
