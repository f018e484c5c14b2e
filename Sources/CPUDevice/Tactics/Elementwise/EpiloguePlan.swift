package import CPUKernelInterface
package import KernelModel
package import ProgramModel
package import TensorModel

/// A kernel's epilogue, compiled, with the views of its operands.
struct EpiloguePlan {
  /// Nil where results are stored as they are.
  var program: CompiledExpression?
  /// The step's inputs that are the program's operands from 1 on, and their views in the output's shape.
  var inputs: [Int] = []
  var views: [View] = []

  /// - Parameters:
  ///   - transform: what is applied to the kernel's value first.
  ///   - valueType: what the epilogue takes that value for; it is handed over in single precision.
  /// - Returns: nil where the epilogue needs the reference interpreter.
  init?(
    _ step: Step, valueType: DataType = .float32,
    transform: ScalarExpression = .operand(0)
  ) {
    guard let own = step.problem.ownOperandCount, let epilogue = step.problem.epilogue,
      let output = step.outputs.first, let format = ElementFormat(output.dataType)
    else { return nil }
    let others = step.inputs.dropFirst(own)
    var types = [valueType]
    for view in others {
      guard let view else { return nil }
      types.append(view.dataType)
    }
    var replacements: [ScalarExpression] = types.indices.map { .operand($0) }
    replacements[0] = transform
    let expression = epilogue.substituting(replacements)
    let isStored = valueType == .float32 && expression == .operand(0)
    let isWidened = valueType.isSixteenBitReal && expression == .cast(.operand(0), .float32)
    if format == .float32, isStored || isWidened { return }
    guard
      let compiled = CompiledExpression(expression, types: types, keepsFirst: .inLanes),
      compiled.resultFormat == format
    else { return nil }
    program = compiled
    for source in compiled.sources.dropFirst() {
      guard case .operand(let k) = source, let view = step.inputs[own + k - 1] else { return nil }
      inputs.append(own + k - 1)
      views.append(view.expanded(to: output.shape))
    }
  }

  /// - Parameter firstOperand: where the epilogue's operands begin in the kernel's list.
  func parameters(
    in arena: ParameterArena, firstOperand: Int, layout: inout ScratchLayout
  ) -> ElementwiseEpilogue {
    ElementwiseEpilogue(
      program: program.map { arena.store($0) }, firstOperand: firstOperand,
      scratchOffset: layout.reserve(program))
  }

  var operands: [KernelPhase.Operand] { inputs.map { .input($0) } }

  func seconds(_ elements: Int, vectorWidth: Int) -> Double {
    guard let program else { return 0 }
    return Double(elements) * program.secondsPerElement(vectorWidth: vectorWidth)
  }
}

/// An epilogue for a contraction: the hook to call on its blocks, and what keeps the context alive.
package struct BlockEpilogue: Sendable {
  package var hook: ContractionHook
  /// The step's inputs that the hook reads, in the order of the places that were given for them.
  package var inputs: [Int]
  /// To be retained as long as the kernel.
  package var retained: any Sendable

  /// - Parameters:
  ///   - expression: operand 0 is the float result, operand `k` is input `own + k - 1` of the step.
  ///   - type: what the expression takes operand 0 for.
  ///   - rowAxes: the axes of the output that rows of blocks are counted over, outermost first.
  ///   - columnAxis: the axis of columns.
  ///   - place: where the kernel's list of operands has an input of the step.
  /// - Returns: nil where the vector machine cannot evaluate the expression: for want of an instruction, or because
  ///   an operand lies where results are kept until it has run.
  package init?(
    _ expression: ScalarExpression, of type: DataType = .float32, step: Step, own: Int,
    rowAxes: [Int], columnAxis: Int,
    kernels: ElementwiseKernels, place: (_ input: Int) -> Int
  ) {
    guard let output = step.outputs.first, output.dataType.isRealStorage else { return nil }
    guard
      let draft = EpilogueDraft(expression, of: type, step: step, own: own),
      !draft.overlapsOutput || (output.dataType.isSixteenBitReal && draft.coversOutput)
    else { return nil }
    let block = draft.block(rowAxes: rowAxes, columnAxis: columnAxis, place: place)
    inputs = draft.inputs
    retained = block
    hook = ContractionHook(
      function: kernels.blockEpilogue, context: block.address,
      scratchBytes: draft.compiled.scratchBytes)
  }
}

/// An epilogue for sums of integers, of any result type: the hook, and what keeps its context alive.
struct SumsBlockEpilogue: Sendable {
  var hook: SumsHook
  var retained: any Sendable

  /// As `BlockEpilogue`; operand 0 of the expression is the sum.
  init?(
    _ expression: ScalarExpression, of type: DataType = .int32, step: Step, own: Int,
    rowAxes: [Int], columnAxis: Int, kernels: ElementwiseKernels, place: (_ input: Int) -> Int
  ) {
    guard let draft = EpilogueDraft(expression, of: type, step: step, own: own),
      !draft.overlapsOutput || draft.coversOutput
    else { return nil }
    let block = draft.block(rowAxes: rowAxes, columnAxis: columnAxis, place: place)
    retained = block
    hook = SumsHook(
      function: kernels.blockEpilogue, context: block.address,
      scratchBytes: draft.compiled.scratchBytes,
      resultBytes: draft.compiled.resultFormat.byteCount)
  }
}

/// The epilogue of a contraction as a program, before it has its place in memory.
private struct EpilogueDraft {
  let compiled: CompiledExpression
  /// The step's inputs that the program reads.
  var inputs: [Int] = []
  /// Their views in the output's shape.
  var views: [View] = []
  let output: View

  /// - Parameter type: of operand 0, which is handed over in lanes.
  init?(_ expression: ScalarExpression, of type: DataType, step: Step, own: Int) {
    guard let output = step.outputs.first else { return nil }
    self.output = output
    var types = [type]
    for view in step.inputs.dropFirst(own) {
      guard let view else { return nil }
      types.append(view.dataType)
    }
    guard let compiled = CompiledExpression(expression, types: types, keepsFirst: .inLanes),
      compiled.resultFormat == ElementFormat(output.dataType)
    else { return nil }
    self.compiled = compiled
    for source in compiled.sources.dropFirst() {
      guard case .operand(let k) = source, let view = step.inputs[own + k - 1] else { return nil }
      inputs.append(own + k - 1)
      views.append(view.expanded(to: output.shape))
    }
  }

  /// Whether an operand may lie where the output does.
  var overlapsOutput: Bool { views.contains { $0.buffer == output.buffer } }

  /// Whether such operands lie, element by element, in the very places of the output.
  var coversOutput: Bool {
    views.allSatisfy { $0.buffer != output.buffer || $0.isSamePlace(as: output) }
  }

  func block(rowAxes: [Int], columnAxis: Int, place: (_ input: Int) -> Int) -> ParameterBlock {
    // Rows must stay in their order: axes are merged, not sorted.
    let rows = Self.merged(
      rowAxes.map { output.shape[$0] }, views.map { v in rowAxes.map { v.strides[$0] } })
    let arena = ParameterArena()
    let parameters = BlockEpilogueParameters(
      program: arena.store(compiled), operands: arena.store(inputs.map(place)),
      rank: rows.extents.count, extents: arena.store(rows.extents),
      rowStrides: arena.store(rows.strides.flatMap { $0 }),
      columnStrides: arena.store(views.map { $0.strides[columnAxis] }))
    return ParameterBlock(parameters, retaining: [arena])
  }

  private static func merged(
    _ extents: [Int], _ strides: [[Int]]
  ) -> (extents: [Int], strides: [[Int]]) {
    var result: [Int] = []
    var kept: [[Int]] = strides.map { _ in [] }
    for axis in extents.indices where extents[axis] != 1 {
      let last = result.count - 1
      if last >= 0,
        strides.indices.allSatisfy({ kept[$0][last] == strides[$0][axis] * extents[axis] })
      {
        result[last] *= extents[axis]
        for operand in strides.indices { kept[operand][last] = strides[operand][axis] }
      } else {
        result.append(extents[axis])
        for operand in strides.indices { kept[operand].append(strides[operand][axis]) }
      }
    }
    return (result, kept)
  }
}
