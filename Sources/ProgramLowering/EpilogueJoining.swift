import KernelModel
package import ProgramModel
import TensorModel

/// A sum that alone reads a matrix product, behind moves that turned out to need no work, becomes part of the
/// product: fusion before lowering could not look through them.
package enum EpilogueJoining {
  package static func apply(to program: inout Program) {
    var index = 0
    while index < program.steps.count {
      if let (product, joined) = join(program, index) {
        program.steps[index] = joined
        program.steps.remove(at: product)
      } else {
        index += 1
      }
    }
  }

  private static func join(_ program: Program, _ index: Int) -> (product: Int, step: Step)? {
    let step = program.steps[index]
    guard case .pointwise(let pointwise) = step.problem, step.outputs.count == 1 else { return nil }
    for case let view? in step.inputs {
      guard let product = onlyWriter(program, of: view, readBy: index),
        let sum = Sum(program.steps[product], step, pointwise.expression),
        let joined = joined(program.steps[product], step, sum, reading: view)
      else { continue }
      return (product, joined)
    }
    return nil
  }

  /// What a product's epilogue and a sum of its results are to become.
  private struct Sum {
    var expression: ScalarExpression
    var epilogue: ScalarExpression
    /// Whether both are in single precision, in which sums of 16-bit numbers are computed.
    var isSingle: Bool

    init?(_ product: Step, _ sum: Step, _ expression: ScalarExpression) {
      if let epilogue = product.singleEpilogue, isSum(epilogue),
        let types = sum.types(of: sum.inputs[...])
      {
        let single = expression.inSingle(types, result: sum.outputs[0].dataType)
        if isSum(single) {
          (self.expression, self.epilogue, isSingle) = (single, epilogue, true)
          return
        }
      }
      guard isSum(expression), let epilogue = product.problem.epilogue else { return nil }
      (self.expression, self.epilogue, isSingle) = (expression, epilogue, false)
    }
  }

  private static func isSum(_ expression: ScalarExpression) -> Bool {
    switch expression {
    case .operand: true
    case .binary(.add, let a, let b): isSum(a) && isSum(b)
    default: false
    }
  }

  /// The matrix product that alone writes all of a buffer, which nothing else reads.
  private static func onlyWriter(_ program: Program, of view: View, readBy reader: Int) -> Int? {
    func uses(_ step: Step) -> Bool {
      (step.inputs.compactMap { $0 } + step.outputs).contains { $0.buffer == view.buffer }
    }
    guard program[view.buffer].isActivation,
      let writer = program.steps.firstIndex(where: uses), writer < reader,
      program.steps.lastIndex(where: uses) == reader,
      program.steps[(writer + 1)..<reader].allSatisfy({ !uses($0) })
    else { return nil }
    let step = program.steps[writer]
    guard case .matmul(let problem) = step.problem, !problem.transposesA,
      step.outputs.count == 1, step.outputs[0].rank == 2, step.outputs[0].isRowMajor,
      step.outputs[0].elementCount * view.dataType.byteCount == program[view.buffer].byteCount,
      step.inputs.prefix(2).allSatisfy({ $0?.rank == 2 })
    else { return nil }
    return writer
  }

  /// - Parameter view: the product's results as the sum reads them.
  private static func joined(
    _ product: Step, _ sum: Step, _ joined: Sum, reading view: View
  ) -> Step? {
    let rank = view.rank
    guard rank >= 2, view.shape == sum.outputs[0].shape, view.offset == 0,
      view.shape[rank - 1] == product.outputs[0].shape[1], view.isContiguous(along: rank - 1),
      let a = product.inputs[0]
    else { return nil }
    // The product's rows as the axes of the view, in the order in which they lie in memory.
    let order =
      (0..<rank - 1).sorted { (view.strides[$1], $0) < (view.strides[$0], $1) } + [rank - 1]
    let rows = view.transposed(order)
    guard rows.isRowMajor, rows.elementCount == product.outputs[0].elementCount,
      let lines = a.reshaped(Array(rows.shape.dropLast()) + [a.shape[1]])
    else { return nil }
    var step = product
    step.inputs[0] = lines
    step.outputs = [sum.outputs[0].transposed(order)]
    for position in step.inputs.indices.dropFirst(2) {
      guard let operand = step.inputs[position], operand.rank > 1 else { continue }
      guard let moved = operand.reshaped(rows.shape) else { return nil }
      step.inputs[position] = moved
    }
    var terms: [ScalarExpression] = []
    for case let operand? in sum.inputs {
      if operand == view {
        terms.append(joined.epilogue)
        continue
      }
      step.inputs.append(
        operand.rank < 2 ? operand : operand.expanded(to: view.shape).transposed(order))
      terms.append(.operand(step.inputs.count - 2))
    }
    guard terms.count == sum.inputs.count, terms.count(where: { $0 == joined.epilogue }) == 1 else {
      return nil
    }
    var epilogue = joined.expression.substituting(terms)
    if joined.isSingle {
      guard let types = step.epilogueTypes else { return nil }
      epilogue = epilogue.stored(types, result: step.outputs[0].dataType)
    }
    step.problem.epilogue = epilogue
    step.origins += sum.origins.filter { !step.origins.contains($0) }
    return step
  }
}
