import GraphModel
import KernelModel
import TensorModel

/// Tensors side by side, along an axis or along a new one. Source: TensorFlow `ConcatV2`, `Concat`, `Pack`.
struct TensorFlowConcatenation: Operator {
  static let spellings = [
    Spelling.tensorflow("ConcatV2"), .tensorflow("Concat"), .tensorflow("Pack"),
  ]

  private let name: String
  private let axis: Int

  init(_ attributes: AttributeReader) throws(OperatorError) {
    name = attributes.name
    axis = try attributes.int("axis", default: 0)
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    var parts = try expansion.allInputs()
    var axis = axis
    if name != "Pack" {
      guard parts.count >= 2 else { throw OperatorError("expected tensors and an axis") }
      let place = name == "Concat" ? 0 : parts.count - 1
      guard let list = try expansion.requiredIntegers(place, "axis"), list.count == 1 else {
        throw OperatorError("expected one axis")
      }
      axis = list[0]
      parts.remove(at: place)
    }
    guard let first = parts.first else { throw OperatorError("it has no inputs") }
    try expansion.sameType(parts)
    let place = try expansion.axis(axis, rank: first.rank + (name == "Pack" ? 1 : 0))
    if name == "Pack" {
      for index in parts.indices {
        guard parts[index].rank == first.rank else { throw OperatorError("the ranks differ") }
        parts[index] = try expansion.unsqueeze(parts[index], axes: [place])
      }
    }
    expansion.set(0, try expansion.concatenate(parts, axis: place))
  }
}

/// Parts of one axis. Source: TensorFlow `Split`, `SplitV`, `Unpack`.
struct TensorFlowSplit: Operator {
  static let spellings = [
    Spelling.tensorflow("Split"), .tensorflow("SplitV"), .tensorflow("Unpack"),
  ]

  private let name: String
  private let axis: Int

  init(_ attributes: AttributeReader) throws(OperatorError) {
    name = attributes.name
    axis = try attributes.int("axis", default: 0)
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(name == "Split" ? 1 : 0)
    var axis = axis
    if name != "Unpack" {
      guard let list = try expansion.requiredIntegers(name == "Split" ? 0 : 2, "axis"),
        list.count == 1
      else { throw OperatorError("expected one axis") }
      axis = list[0]
    }
    axis = try expansion.axis(axis, rank: x.rank)
    let count = expansion.outputCount
    guard count > 0 else { return }
    if name != "SplitV", let extent = x.shape[axis].constant {
      guard name == "Unpack" ? extent == count : extent % count == 0 else {
        throw OperatorError("axis \(axis) of shape \(x.shape) does not make \(count) parts")
      }
    }
    var sizes = [Dimension](
      repeating: x.shape[axis].floorDivided(by: Dimension(count)), count: count)
    if name == "SplitV" {
      guard let given = expansion.dimensions(try expansion.input(1)), given.count == count else {
        throw OperatorError("the sizes of the \(count) parts are not known")
      }
      sizes = given
      if let open = given.firstIndex(of: -1) {
        sizes[open] = 0
        sizes[open] = sizes.reduce(x.shape[axis]) { $0 - $1 }
      }
    }
    var start: Dimension = 0
    for index in 0..<count {
      var part = try expansion.slice(x, axis: axis, start: start, count: sizes[index])
      if name == "Unpack" {
        var kept = part.shape.dimensions
        kept.remove(at: axis)
        part = try expansion.reshape(part, Shape(kept))
      }
      expansion.set(index, part)
      start = start + sizes[index]
    }
  }
}

/// Axes in another order. Source: TensorFlow `Transpose`.
struct TensorFlowTranspose: Operator {
  static let spellings = [Spelling.tensorflow("Transpose")]

  init(_ attributes: AttributeReader) throws(OperatorError) {}

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    guard let permutation = try expansion.requiredIntegers(1, "perm"),
      permutation.sorted() == Array(0..<x.rank)
    else { throw OperatorError("input 1 ('perm') is no permutation of \(x.rank) axes") }
    expansion.set(0, try expansion.transpose(x, permutation))
  }
}

/// Slices at indices. Source: TensorFlow `Gather`, `GatherV2`, `GatherNd`.
struct TensorFlowGather: Operator {
  static let spellings = [
    Spelling.tensorflow("Gather"), .tensorflow("GatherV2"), .tensorflow("GatherNd"),
  ]

  private let name: String
  private let batchAxes: Int

  init(_ attributes: AttributeReader) throws(OperatorError) {
    name = attributes.name
    batchAxes = try attributes.int("batch_dims", default: 0)
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let data = try expansion.input(0)
    let indices = try expansion.cast(try expansion.input(1), to: .int64)
    if name == "GatherNd" {
      return expansion.set(
        0, try expansion.emit(.gather(.coordinates(batchAxes: 0)), [data, indices]))
    }
    let list = name == "GatherV2" ? try expansion.requiredIntegers(2, "axis") ?? [0] : [0]
    guard list.count == 1 else { throw OperatorError("expected one axis, found \(list)") }
    let axis = try expansion.axis(list[0], rank: data.rank)
    guard batchAxes == 0 else { return try inBatches(data, indices, axis, &expansion) }
    expansion.set(0, try expansion.emit(.gather(.slices(axis: axis)), [data, indices]))
  }

  /// Rows of indices, each for its own member of the batch.
  private func inBatches(
    _ data: Operand, _ indices: Operand, _ axis: Int, _ expansion: inout Expansion
  ) throws(OperatorError) {
    let batch = batchAxes < 0 ? batchAxes + indices.rank : batchAxes
    guard batch > 0, batch <= axis, batch <= indices.rank else {
      throw OperatorError("batch_dims \(batchAxes) with axis \(axis) is not supported")
    }
    // The axis follows the batch, and what was between them comes after the indices.
    let between = Array(batch..<axis)
    let first = try expansion.transpose(
      data, Array(0..<batch) + [axis] + between + Array((axis + 1)..<data.rank))
    let coordinates = try expansion.unsqueeze(indices, axes: [indices.rank])
    let found = try expansion.emit(
      .gather(.coordinates(batchAxes: batch)), [first, coordinates])
    let places = Array(batch..<indices.rank)
    let moved = between.indices.map { indices.rank + $0 }
    let rest = Array((indices.rank + between.count)..<max(found.rank, indices.rank + between.count))
    expansion.set(
      0, try expansion.transpose(found, Array(0..<batch) + moved + places + rest))
  }
}

/// Elements added around a tensor. Source: TensorFlow `Pad`, `PadV2`, `MirrorPad`.
struct TensorFlowPad: Operator {
  static let spellings = [
    Spelling.tensorflow("Pad"), .tensorflow("PadV2"), .tensorflow("MirrorPad"),
  ]

  private let mirrors: Bool
  /// Whether the outermost elements are mirrored too.
  private let isSymmetric: Bool

  init(_ attributes: AttributeReader) throws(OperatorError) {
    mirrors = attributes.name == "MirrorPad"
    let mode = try attributes.string("mode", default: "REFLECT")
    isSymmetric = mirrors && mode == "SYMMETRIC"
    guard !mirrors || isSymmetric || mode == "REFLECT" else {
      throw OperatorError("attribute 'mode' is '\(mode)', expected REFLECT or SYMMETRIC")
    }
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    guard let pads = expansion.dimensions(try expansion.input(1)), pads.count == 2 * x.rank else {
      throw OperatorError("input 1 ('paddings') is not known, or not two numbers for each axis")
    }
    var mode = Copy.PadMode.reflect
    if !mirrors {
      let value = try expansion.requiredNumbers(2, "constant_values")?.first ?? 0
      mode = .constant(value)
    }
    let before = (0..<x.rank).map { pads[2 * $0] }
    let after = (0..<x.rank).map { pads[2 * $0 + 1] }
    guard !isSymmetric else {
      return expansion.set(0, try symmetric(x, before, after, &expansion))
    }
    expansion.set(0, try expansion.emit(.copy(.pad(mode, before: before, after: after)), [x]))
  }

  private func symmetric(
    _ x: Operand, _ before: [Dimension], _ after: [Dimension], _ expansion: inout Expansion
  ) throws(OperatorError) -> Operand {
    var result = x
    for axis in 0..<x.rank where before[axis] != 0 || after[axis] != 0 {
      let extent = result.shape[axis]
      if let length = extent.constant,
        max(before[axis].constant ?? 0, after[axis].constant ?? 0) > length
      {
        throw OperatorError("the pads of axis \(axis) of \(x.type) are larger than its extent")
      }
      let place = ScalarExpression.index(axis: 0) - .operand(1)
      let inside = ScalarExpression.select(
        .less(place, .integer64(0)), .integer64(-1) - place, place)
      let last = ScalarExpression.operand(0)
      let mirrored = ScalarExpression.select(
        .less(inside, last), inside, last + last - .integer64(1) - inside)
      result = try expansion.permuted(
        result, axis: axis, count: before[axis] + extent + after[axis], mirrored,
        [expansion.extent(before[axis])])
    }
    return result
  }
}

/// The elements of axes from last to first. Source: TensorFlow `ReverseV2`.
struct TensorFlowReverse: Operator {
  static let spellings = [Spelling.tensorflow("ReverseV2")]

  init(_ attributes: AttributeReader) throws(OperatorError) {}

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    var x = try expansion.input(0)
    let list = try expansion.requiredIntegers(1, "axis") ?? []
    for axis in try expansion.axes(list, rank: x.rank) {
      x = try expansion.slice(
        x, axis: axis, start: x.shape[axis] - 1, count: x.shape[axis], step: -1)
    }
    expansion.set(0, x)
  }
}

/// Updates at coordinates. Source: TensorFlow `ScatterNd`, `TensorScatterUpdate` and its kin.
struct TensorFlowScatter: Operator {
  private static let combinations: [String: Scatter.Combination] = [
    "ScatterNd": .add, "TensorScatterUpdate": .replace, "TensorScatterAdd": .add,
    "TensorScatterSub": .add, "TensorScatterMax": .maximum, "TensorScatterMin": .minimum,
  ]

  static let spellings = combinations.keys.sorted().map { Spelling.tensorflow($0) }

  private let name: String

  init(_ attributes: AttributeReader) throws(OperatorError) { name = attributes.name }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let inputs = try expansion.allInputs()
    guard inputs.count == 3 else { throw OperatorError("expected 3 inputs") }
    let combination = Self.combinations[name] ?? .add
    var (data, indices, updates) = (inputs[0], inputs[1], inputs[2])
    if name == "ScatterNd" {
      guard let shape = expansion.dimensions(inputs[2]) else {
        throw OperatorError("the result's shape is not known")
      }
      (indices, updates) = (inputs[0], inputs[1])
      let zeros = Pointwise(.constant(0, updates.dataType), shape: Shape(shape))
      data = try expansion.emit(.pointwise(zeros), [])
    }
    indices = try expansion.cast(indices, to: .int64)
    if name == "TensorScatterSub" {
      updates = try expansion.pointwise(-.operand(0), [updates])
    }
    expansion.set(
      0,
      try expansion.emit(.scatter(Scatter(.coordinates, combination)), [data, indices, updates]))
  }
}
