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
    guard batchAxes == 0 else {
      guard batchAxes > 0, batchAxes == axis, indices.rank > batchAxes else {
        throw OperatorError("batch_dims \(batchAxes) with axis \(axis) is not supported")
      }
      let coordinates = try expansion.unsqueeze(indices, axes: [indices.rank])
      return expansion.set(
        0,
        try expansion.emit(.gather(.coordinates(batchAxes: batchAxes)), [data, coordinates]))
    }
    expansion.set(0, try expansion.emit(.gather(.slices(axis: axis)), [data, indices]))
  }
}

/// Elements added around a tensor. Source: TensorFlow `Pad`, `PadV2`, `MirrorPad`.
struct TensorFlowPad: Operator {
  static let spellings = [
    Spelling.tensorflow("Pad"), .tensorflow("PadV2"), .tensorflow("MirrorPad"),
  ]

  private let mirrors: Bool

  init(_ attributes: AttributeReader) throws(OperatorError) {
    mirrors = attributes.name == "MirrorPad"
    let mode = try attributes.string("mode", default: "REFLECT")
    guard !mirrors || mode == "REFLECT" else {
      throw OperatorError("attribute 'mode' is not REFLECT, which alone is supported")
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
    expansion.set(0, try expansion.emit(.copy(.pad(mode, before: before, after: after)), [x]))
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

/// Updates at coordinates. Source: TensorFlow `ScatterNd`, `TensorScatterUpdate`, `TensorScatterAdd`.
struct TensorFlowScatter: Operator {
  static let spellings = [
    Spelling.tensorflow("ScatterNd"), .tensorflow("TensorScatterUpdate"),
    .tensorflow("TensorScatterAdd"),
  ]

  private let name: String

  init(_ attributes: AttributeReader) throws(OperatorError) { name = attributes.name }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let inputs = try expansion.allInputs()
    guard inputs.count == 3 else { throw OperatorError("expected 3 inputs") }
    let combination: Scatter.Combination = name == "TensorScatterUpdate" ? .replace : .add
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
    expansion.set(
      0,
      try expansion.emit(.scatter(Scatter(.coordinates, combination)), [data, indices, updates]))
  }
}
