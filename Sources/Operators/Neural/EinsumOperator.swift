import GraphModel
import KernelModel
import TensorModel

/// Einstein summation, one operand joined after the other. Source: ONNX `Einsum`.
struct EinsumOperator: Operator {
  static let spellings = [Spelling.onnx("Einsum")]

  private typealias Label = EinsteinSummation.Label

  /// A tensor whose axes have different labels.
  private struct Labeled {
    var operand: Operand
    var labels: [Label]

    func extents(_ wanted: [Label]) -> [Dimension] {
      wanted.map { label in labels.firstIndex(of: label).map { operand.shape[$0] } ?? 1 }
    }
  }

  private let equation: EinsteinSummation

  private static let mostInputs = 64

  init(_ attributes: AttributeReader) throws(OperatorError) {
    guard attributes.has("equation") else {
      throw OperatorError("attribute 'equation' is missing")
    }
    equation = try EinsteinSummation(try attributes.string("equation", default: ""))
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let inputs = try expansion.allInputs()
    guard (1...Self.mostInputs).contains(inputs.count) else {
      throw OperatorError("found \(inputs.count) inputs, expected 1 to \(Self.mostInputs)")
    }
    try expansion.sameType(inputs)
    let labels = try equation.labels(ranks: inputs.map(\.rank))
    let wanted = try equation.resultLabels(labels)
    var terms: [Labeled] = []
    for (operand, axes) in zip(inputs, labels) {
      terms.append(try diagonal(&expansion, Labeled(operand: operand, labels: axes)))
    }
    var result = terms[0]
    for index in terms.indices.dropFirst() {
      let needed = terms[(index + 1)...].reduce(into: Set(wanted)) { $0.formUnion($1.labels) }
      result = try product(&expansion, result, terms[index], needed: needed)
    }
    result = try sum(&expansion, result, keeping: Set(wanted))
    expansion.set(0, try arranged(&expansion, result, wanted).operand)
  }

  /// Axes with the same label become one, which runs along their diagonal.
  private func diagonal(
    _ expansion: inout Expansion, _ x: Labeled
  ) throws(OperatorError) -> Labeled {
    var x = x
    while let second = x.labels.indices.first(where: {
      x.labels[..<$0].contains(x.labels[$0])
    }) {
      let first = x.labels.firstIndex(of: x.labels[second]) ?? 0
      _ = try joined(x.operand.shape[first], x.operand.shape[second])
      let isOnIt = ScalarExpression.binary(
        .equal, .index(axis: first), .index(axis: second))
      let masked = try expansion.pointwise(
        .select(isOnIt, .operand(0), .constant(0, x.operand.dataType)), [x.operand])
      x.operand = try expansion.reduce(.sum, masked, axes: [second], keepsDimensions: false)
      x.labels.remove(at: second)
    }
    return x
  }

  private func sum(
    _ expansion: inout Expansion, _ x: Labeled, keeping kept: Set<Label>
  ) throws(OperatorError) -> Labeled {
    let axes = x.labels.indices.filter { !kept.contains(x.labels[$0]) }
    guard !axes.isEmpty else { return x }
    return Labeled(
      operand: try expansion.reduce(.sum, x.operand, axes: axes, keepsDimensions: false),
      labels: x.labels.filter { kept.contains($0) })
  }

  /// The axes in another order; an axis that x does not have gets extent 1.
  private func arranged(
    _ expansion: inout Expansion, _ x: Labeled, _ labels: [Label]
  ) throws(OperatorError) -> Labeled {
    let present = labels.compactMap { x.labels.firstIndex(of: $0) }
    let moved = try expansion.transpose(x.operand, present)
    let absent = labels.indices.filter { !x.labels.contains(labels[$0]) }
    return Labeled(
      operand: absent.isEmpty ? moved : try expansion.unsqueeze(moved, axes: absent),
      labels: labels)
  }

  /// The product of two terms, summed over the labels that nobody needs any more.
  private func product(
    _ expansion: inout Expansion, _ a: Labeled, _ b: Labeled, needed: Set<Label>
  ) throws(OperatorError) -> Labeled {
    let a = try sum(&expansion, a, keeping: needed.union(b.labels))
    let b = try sum(&expansion, b, keeping: needed.union(a.labels))
    let shared = a.labels.filter { b.labels.contains($0) }
    let contracted = shared.filter { !needed.contains($0) }
    let batch = shared.filter { needed.contains($0) }
    let rows = a.labels.filter { !b.labels.contains($0) }
    let columns = b.labels.filter { !a.labels.contains($0) }
    let labels = batch + rows + columns
    if contracted.isEmpty {
      let x = try arranged(&expansion, a, labels), y = try arranged(&expansion, b, labels)
      return Labeled(
        operand: try expansion.pointwise(.operand(0) * .operand(1), [x.operand, y.operand]),
        labels: labels)
    }
    // An axis of extent 1 stands for any extent.
    let inner = try zip(a.extents(contracted), b.extents(contracted)).map {
      (pair) throws(OperatorError) in try joined(pair.0, pair.1)
    }
    let left = try matrices(
      &expansion, a, batch: batch, free: rows, contracted: contracted, inner: inner,
      contractedFirst: false)
    let right = try matrices(
      &expansion, b, batch: batch, free: columns, contracted: contracted, inner: inner,
      contractedFirst: true)
    let result = try expansion.matmul(
      left.operand, right.operand, transposesA: left.isSwapped, transposesB: right.isSwapped)
    let shape = result.shape.dimensions[..<batch.count] + a.extents(rows) + b.extents(columns)
    return Labeled(operand: try expansion.reshape(result, Shape(Array(shape))), labels: labels)
  }

  private func joined(_ a: Dimension, _ b: Dimension) throws(OperatorError) -> Dimension {
    guard let shape = ShapeMath.broadcast([a], [b]) else {
      throw OperatorError("axes of extents \(a) and \(b) have one name")
    }
    return shape[0]
  }

  /// A term as a batch of matrices, in the order of its axes where that saves a transposition.
  private func matrices(
    _ expansion: inout Expansion, _ x: Labeled, batch: [Label], free: [Label],
    contracted: [Label], inner: [Dimension], contractedFirst: Bool
  ) throws(OperatorError) -> (operand: Operand, isSwapped: Bool) {
    var x = x
    if x.extents(contracted) != inner {
      var shape = x.operand.shape
      for (label, extent) in zip(contracted, inner) {
        if let axis = x.labels.firstIndex(of: label) { shape[axis] = extent }
      }
      x.operand = try expansion.expand(x.operand, to: shape)
    }
    let usual = contractedFirst ? contracted + free : free + contracted
    let swapped = contractedFirst ? free + contracted : contracted + free
    let isSwapped = x.labels != batch + usual && x.labels == batch + swapped
    let ordered = try arranged(&expansion, x, batch + (isSwapped ? swapped : usual))
    let freeExtent = Dimension.product(x.extents(free)), innerExtent = Dimension.product(inner)
    let matrix =
      contractedFirst != isSwapped ? [innerExtent, freeExtent] : [freeExtent, innerExtent]
    return (
      try expansion.reshape(ordered.operand, Shape(x.extents(batch) + matrix)), isSwapped
    )
  }
}
