import CPUKernelInterface
import KernelModel
import ProgramModel
import TensorModel

/// An epilogue of a contraction of bytes that kernels apply in registers.
struct IntegerPattern {
  private(set) var format = IntegerFormat()
  private(set) var columns: IntegerColumns
  /// A position among the step's inputs.
  private(set) var residual: Int?

  private static let own = 2

  /// - Parameters:
  ///   - channelAxis: the axis of the output along which the numbers of the form vary.
  ///   - depth: how many products a sum has.
  init?(
    _ expression: ScalarExpression, request: TacticRequest, channelAxis: Int, depth: Int
  ) {
    let reader = FormReader(request: request, channelAxis: channelAxis)
    guard let form = reader.form(expression),
      form.type == request.step.outputs[0].dataType
    else { return nil }
    let channels = request.step.outputs[0].shape[channelAxis]
    residual = form.residual
    let start = (form.inner?.start ?? form.start).spread(channels)
    guard start.allSatisfy({ Int32(exactly: $0) != nil }) else { return nil }
    let factor = form.inner?.factor ?? form.factor
    let constant = form.inner?.constant ?? form.constant
    columns = IntegerColumns(
      start: start.map { Int32($0) }, scale: factor.spread(channels).map { Float($0) },
      shift: constant.spread(channels).map { Float($0) },
      residualScale: form.residualFactor.spread(channels).map { Float($0) })
    if let inner = form.inner {
      guard let scale = form.factor.uniform, let shift = form.constant.uniform,
        (scale * 255 + shift).isFinite
      else { return nil }
      format.inner = IntegerStage(
        lower: Float(inner.lower - inner.offset), upper: Float(inner.upper - inner.offset),
        scale: Float(scale), shift: Float(shift + scale * inner.offset))
    }
    if let residual, let view = request.step.inputs[residual] {
      switch view.dataType {
      case .uint8: format.residual = .uint8
      case .int8: format.residual = .int8
      case .float32: format.residual = .float32
      default: return nil
      }
    }
    let numbers = columns.scale + columns.shift + columns.residualScale
    guard numbers.allSatisfy(\.isFinite) else { return nil }
    let isKnown =
      switch form.type {
      case .int32: storeSums(form, channels)
      case .float32: storeReal(form, channels)
      case .uint8, .int8: storeBytes(form, depth: depth, channels)
      default: false
      }
    guard isKnown else { return nil }
  }

  private mutating func storeSums(_ form: LinearForm, _ channels: Int) -> Bool {
    let constant = form.constant.spread(channels)
    guard form.factor.uniform == 1, form.inner == nil, form.residual == nil, !form.isBounded,
      constant.allSatisfy({ Int32(exactly: $0) != nil })
    else { return false }
    format.result = .int32
    columns.start = zip(columns.start, constant).map { $0 &+ Int32($1) }
    return true
  }

  private mutating func storeReal(_ form: LinearForm, _ channels: Int) -> Bool {
    guard !form.isRounded, let (lower, upper) = Self.bounds(form, channels) else { return false }
    format.result = .float32
    format.isLimited = form.isBounded
    (columns.lower, columns.upper) = (lower.map { Float($0) }, upper.map { Float($0) })
    return true
  }

  private mutating func storeBytes(_ form: LinearForm, depth: Int, _ channels: Int) -> Bool {
    guard form.isRounded, let (lower, upper) = Self.bounds(form, channels),
      let lowest = lower.min(), let highest = upper.max(), lowest.isFinite, highest.isFinite,
      abs(form.offset) <= 1024
    else { return false }
    format.result = form.type == .uint8 ? .uint8 : .int8
    format.zeroPoint = Int32(form.offset)
    (format.lowest, format.highest) = (Int32(lowest), Int32(highest))
    // The conversion to 32 bits does not saturate.
    let greatestSum = Double(depth) * 255 * 128
    let greatest = (0..<channels).reduce(0.0) { result, channel in
      let sum =
        format.inner.map { 255 * abs(Double($0.scale)) + abs(Double($0.shift)) }
        ?? (abs(Double(columns.scale[channel]))
          * (greatestSum + abs(Double(columns.start[channel])))
          + abs(Double(columns.shift[channel])))
      return max(result, sum + 256 * abs(Double(columns.residualScale[channel])))
    }
    let isVarying = form.lower.uniform == nil || form.upper.uniform == nil
    format.isLimited = format.residual == .float32 || greatest > 1e9 || isVarying
    columns.lower = lower.map { isVarying ? Float($0 - form.offset) : -1e9 }
    columns.upper = upper.map { isVarying ? Float($0 - form.offset) : 1e9 }
    return true
  }

  /// Of each channel; nil where some have none.
  private static func bounds(
    _ form: LinearForm, _ channels: Int
  ) -> (lower: [Double], upper: [Double])? {
    let lower = form.lower.spread(channels), upper = form.upper.spread(channels)
    return zip(lower, upper).allSatisfy({ $0 <= $1 }) ? (lower, upper) : nil
  }
}

/// Reads scalar expressions as linear forms.
private struct FormReader {
  let request: TacticRequest
  let channelAxis: Int

  /// Nil where the expression has no such form.
  func form(_ expression: ScalarExpression) -> LinearForm? {
    switch expression {
    case .operand(0): return .sum()
    case .operand(let k): return operand(k + 1)
    case .constant(let value, let type): return .constant(ChannelNumbers(value), type)
    case .integer(let value, let type): return .constant(ChannelNumbers(Double(value)), type)
    case .cast(let a, let type): return form(a)?.cast(to: type)
    case .unary(.round, let a): return form(a)?.roundedToWhole()
    case .unary(.negate, let a): return form(a)?.negated()
    case .binary(let function, let a, let b):
      guard let x = form(a), let y = form(b), x.type == y.type else { return nil }
      switch function {
      case .add: return x.adding(y)
      case .subtract: return y.negated().flatMap { x.adding($0) }
      case .multiply: return x.multiplied(by: y)
      case .divide: return x.divided(by: y)
      case .maximum: return x.atLeast(y)
      case .minimum: return x.atMost(y)
      default: return nil
      }
    case .index, .unary, .select: return nil
    }
  }

  /// An input of the step: numbers that vary along the channels alone, or a residual.
  private func operand(_ index: Int) -> LinearForm? {
    let output = request.step.outputs[0]
    guard request.step.inputs.indices.contains(index), let view = request.step.inputs[index] else {
      return nil
    }
    let expanded = view.expanded(to: output.shape)
    let varying = expanded.shape.indices.filter {
      expanded.shape[$0] > 1 && expanded.strides[$0] != 0
    }
    if let tensor = request.constants[index], varying.allSatisfy({ $0 == channelAxis }) {
      let stride = expanded.strides[channelAxis]
      let count = varying.isEmpty ? 1 : output.shape[channelAxis]
      let numbers = (0..<count).map { Self.number(tensor, view.offset + $0 * stride) }
      guard numbers.allSatisfy({ $0 != nil }) else { return nil }
      return .constant(ChannelNumbers(numbers.compactMap { $0 }), view.dataType)
    }
    guard view.shape == output.shape, view.isContiguous(along: channelAxis),
      view.strides.allSatisfy({ $0 >= 0 }),
      view.buffer != output.buffer || view.isSamePlace(as: output)
    else { return nil }
    return .residual(index, view.dataType)
  }

  private static func number(_ tensor: Tensor, _ index: Int) -> Double? {
    let address = tensor.address
    switch tensor.dataType {
    case .float32: return Double(address.assumingMemoryBound(to: Float.self)[index])
    case .int32: return Double(address.assumingMemoryBound(to: Int32.self)[index])
    case .int8: return Double(address.assumingMemoryBound(to: Int8.self)[index])
    case .uint8: return Double(address.assumingMemoryBound(to: UInt8.self)[index])
    default: return nil
    }
  }
}
